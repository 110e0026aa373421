"""Text of a farm's as a terminal may show it: on one line, in so many cells."""

from rich.cells import cell_len, set_cell_size


def clean(text: str) -> str:
    """Return a text that steers no terminal: what cannot be printed is left out."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else " " for each in text)


def fitted(text: str, width: int, cut: str, *, right: bool = False) -> str:
    """Return a text filled up to `width` cells, on its left if it keeps `right`, or cut there."""
    text = clean(text)
    if cell_len(text) > width:
        return set_cell_size(text, width - 1) + cut if width else ""
    missing = " " * (width - cell_len(text))
    return missing + text if right else text + missing
