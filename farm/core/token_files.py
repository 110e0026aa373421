"""The file in which a farm's tokens are kept, as hashes: its owner's alone, replaced whole."""

from pathlib import Path

from farm.core.errors import ConfigurationError
from farm.core.private_files import PRIVATE, read_private, replace_file
from farm.core.tokens import Tokens


def read_tokens(path: Path) -> Tokens:
    """Return what a file says.

    Raises:
        ConfigurationError: it is not there, others can read it too, or it is damaged.
    """
    content = read_private(path)
    try:
        return Tokens.of_json(content)
    except ValueError as error:
        raise ConfigurationError(
            f"{path} is damaged ({error}); put it back from a copy, or remove it and issue tokens"
            " anew (`farm tokens issue`)"
        ) from error


def kept_tokens(path: Path) -> Tokens:
    """Return what a file says; nothing if there is none yet.

    Raises:
        ConfigurationError: as `read_tokens`.
    """
    return read_tokens(path) if path.exists() else Tokens()


def write_tokens(path: Path, tokens: Tokens) -> None:
    """Keep them.

    Raises:
        ConfigurationError: the file cannot be written; the old one is as it was.
    """
    replace_file(path, tokens.to_json(), mode=PRIVATE)
