"""The words of these sections that have a form of their own: boards, currencies, URLs, paths."""

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from farm.core.currencies import CURRENCIES
from farm.energy.boards import board, boards


class HoldsSecretError(ValueError):
    """A value has a secret in it, and is not to be shown."""


def _expanded(path: Path) -> Path:
    """Return a path with `~` for what it stands for, as no shell has read the file."""
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise ValueError("has no home directory to begin with; write the whole path") from error


def _board(value: str) -> str:
    if board(value) is None:
        raise ValueError(
            f"must be one of {', '.join(boards())}, with -8gb or the like after it, or be left out"
            " for the host to be asked"
        )
    return value


def _currency(value: str) -> str:
    if value not in CURRENCIES:
        raise ValueError("must be a currency of ISO 4217, like EUR")
    return value


def _url(value: str) -> str:
    if "@" in value.partition("//")[2].partition("/")[0]:
        raise HoldsSecretError("must hold no user and no password")
    try:
        parts = urlsplit(value)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound:
        raise ValueError("must be a URL like http://198.18.0.90")
    return value


BoardId = Annotated[str, Field(max_length=63), AfterValidator(_board)]
Currency = Annotated[str, AfterValidator(_currency)]
Url = Annotated[str, AfterValidator(_url)]
HomePath = Annotated[Path, AfterValidator(_expanded)]
Said = Annotated[str, Field(min_length=1, max_length=200)]
FromZero = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Years = Annotated[float, Field(gt=0, le=100)]
