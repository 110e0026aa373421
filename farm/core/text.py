"""Text of others, on its way to a terminal."""


def printable(text: str, most: int = 80) -> str:
    """Return text fit for one line of a message, cut where it is long.

    What would move a cursor or change colours is shown by its number instead.
    """
    cut = text if len(text) <= most else text[: most - 1] + "…"
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in cut)
