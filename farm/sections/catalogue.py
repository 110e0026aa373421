"""The catalogue of baselines with an operator's own, whose file is read here."""

from pathlib import Path

from farm.core.errors import ConfigurationError
from farm.core.text import printable
from farm.energy.catalogue import Catalogue, parse_catalogue, shipped_catalogue


def read_catalogue(file: Path | None) -> Catalogue:
    """Return the package's baselines, and those of a file where there is one.

    Raises:
        ConfigurationError: the file cannot be read or is no catalogue; the message names it.
    """
    if file is None:
        return shipped_catalogue()
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigurationError(f"{printable(str(file))} is no path: {error}") from error
    return parse_catalogue(content, file=str(file))
