"""The files that `--input` names."""

import glob
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from farm.core.errors import ConfigurationError, InvalidRequestError

if TYPE_CHECKING:
    from farm.client import FarmClient, ModelMetadata
    from farm.client.datatypes import AnyArray
    from farm.client.inputs.named_files import InputFile

_STDIN = "-"


def arrays_of(
    given: Sequence[str], client: "FarmClient", metadata: "ModelMetadata", version: str
) -> "dict[str, AnyArray]":
    """Return a model's inputs, given as "NAME=FILE" or "FILE"; - is standard input.

    Raises:
        ConfigurationError: one is written otherwise, or its pattern matches nothing.
        FarmError: a file cannot be read or does not fit the model.
    """
    from farm.client.inputs.declarations import declared_preprocessing
    from farm.client.inputs.named_files import read_inputs

    return read_inputs(
        _contents(_sources(given), sys.stdin.buffer),
        metadata.inputs,
        preprocessing=partial(declared_preprocessing, client, metadata.name, version),
    )


def _sources(given: Sequence[str]) -> list[tuple[str, Path | None]]:
    """Return a name, "" for none, and a file, None for standard input, for each file."""
    found: list[tuple[str, Path | None]] = []
    for text in given:
        name, equals, file = text.partition("=") if "=" in text else ("", "", text)
        if not file or (equals and not name):
            raise ConfigurationError(f"--input {text}: write NAME=FILE, FILE, NAME=- or -")
        if file == _STDIN:
            if any(path is None for _, path in found):
                raise ConfigurationError("--input: standard input can be read only once")
            found.append((name, None))
        elif glob.has_magic(file) and not Path(file).exists():
            matches = sorted(glob.glob(file, recursive=True))  # noqa: PTH207
            if not matches:
                raise ConfigurationError(f"--input {text}: no file matches")
            found += [(name, Path(match)) for match in matches]
        else:
            found.append((name, Path(file)))
    return found


def _contents(sources: Sequence[tuple[str, Path | None]], stdin: BinaryIO) -> "Iterator[InputFile]":
    from farm.client.inputs.named_files import InputFile

    for name, path in sources:
        try:
            content = stdin.read() if path is None else path.read_bytes()
        except OSError as error:
            raise InvalidRequestError(
                f"{path or _STDIN} cannot be read: {error.strerror}"
            ) from error
        yield InputFile(
            name=name, content=content, shown="standard input" if path is None else str(path)
        )
