"""Names that people choose: which are safe to serve, and how an unsafe one is shown."""

from typing import Final

MAX_NAME_LENGTH: Final = 128
MAX_PATH_LENGTH: Final = 512
MAX_PART_BYTES: Final = 255
MAX_SHOWN_LENGTH: Final = 200


def name_problem(name: str) -> str | None:
    """Return why `name` cannot be a model's name, or None if it can.

    A name has 1 to `MAX_NAME_LENGTH` printable characters, no slash or backslash, no dot
    in front and no space at either end. A byte that is not UTF-8 is not printable.
    """
    if not name:
        return "it is empty"
    if len(name) > MAX_NAME_LENGTH:
        return f"it has {len(name)} characters, and {MAX_NAME_LENGTH} are allowed"
    if not name.isprintable():
        return "it holds a control character or one that cannot be printed"
    if "/" in name or "\\" in name:
        return "it holds a slash or backslash"
    if name.startswith("."):
        return "it starts with a dot"
    if name != name.strip():
        return "it starts or ends with a space"
    return None


def path_problem(path: str) -> str | None:
    """Return why `path` cannot be that of a file below a folder, or None if it can.

    Parts are divided by `/`; none is empty, `..`, or starts with a dot.
    """
    if len(path) > MAX_PATH_LENGTH:
        return f"it has {len(path)} characters, and {MAX_PATH_LENGTH} are allowed"
    if not path.isprintable():
        return "it holds a control character or one that cannot be printed"
    if "\\" in path:
        return "it holds a backslash"
    for part in path.split("/"):
        if not part:
            return "it is empty, starts or ends with a slash, or holds two in a row"
        if part.startswith("."):
            return "a part of it starts with a dot"
        if len(part.encode()) > MAX_PART_BYTES:
            return f"a part of it is longer than {MAX_PART_BYTES} bytes"
    return None


def shown(text: str) -> str:
    """Return `text` fit for a message: printable, valid UTF-8, at most 200 characters."""
    if len(text) > MAX_SHOWN_LENGTH:
        text = text[: MAX_SHOWN_LENGTH - 1] + "…"
    if text.isprintable():
        return text
    return "".join(
        character
        if character.isprintable()
        else character.encode("unicode_escape", "backslashreplace").decode("ascii")
        for character in text
    )
