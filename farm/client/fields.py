"""Fields of messages that may be absent, or hold a word of another version."""

from enum import StrEnum
from typing import Any, TypeVar

_Word = TypeVar("_Word", bound=StrEnum)


def known(message: Any, name: str) -> Any:
    """Return a field of a message; None if it is absent, which is not the same as 0."""
    return getattr(message, name) if message.HasField(name) else None


def word(text: str, otherwise: _Word) -> _Word:
    """Return what a text names, or something else if nothing here is called so."""
    try:
        return type(otherwise)(text)
    except ValueError:
        return otherwise
