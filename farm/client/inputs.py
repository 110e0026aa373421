"""A request's inputs from what a command line names."""

import glob
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from farm.client.admin import AdminClient
from farm.client.datatypes import AnyArray
from farm.client.files import UNNAMED, fit_datatypes, read_arrays, read_content
from farm.client.images import is_image, load_image, parse_preprocessing
from farm.client.metadata import TensorMetadata
from farm.client.sync import FarmClient
from farm.core.errors import ConfigurationError, ErrorCode, FarmError

_STDIN = "-"

# What a server answers that is no farm, or that lets only its operators ask.
_NOT_TOLD = (ErrorCode.UNSUPPORTED, ErrorCode.PERMISSION_DENIED)


def read_inputs(
    given: Sequence[str],
    tensors: Sequence[TensorMetadata],
    *,
    preprocessing: Callable[[str], str],
    stdin: BinaryIO,
) -> dict[str, AnyArray]:
    """Return the inputs in files, each given as "NAME=FILE" or "FILE"; - is standard input.

    A FILE may be a pattern. Pictures of one input make one batch in the order given; they
    become numbers as `preprocessing`, given an input's name, declares.

    Raises:
        ConfigurationError: an input is named twice, or not named where it has to be.
        InvalidRequestError: a file cannot be read or does not fit the model.
    """
    arrays: dict[str, AnyArray] = {}
    pictures: dict[str, list[tuple[str, bytes]]] = {}
    for name, source in _sources(given):
        shown = "standard input" if source is None else str(source)
        content = read_content(source, stdin)
        if is_image(content):
            pictures.setdefault(name or _only(tensors, shown), []).append((shown, content))
            continue
        for key, array in _named(name, read_arrays(content, shown), tensors, shown).items():
            if key in arrays:
                raise ConfigurationError(f"input '{key}' is given twice, again by {shown}")
            arrays[key] = array
    for name, contents in pictures.items():
        if name in arrays:
            raise ConfigurationError(f"input '{name}' is given as pictures and as an array")
        arrays[name] = _batch(name, contents, tensors, preprocessing(name))
    return fit_datatypes(arrays, {tensor.name: tensor.datatype for tensor in tensors})


def declared_preprocessing(client: FarmClient, model: str, version: str) -> Callable[[str], str]:
    """Return how to ask what a model declares for an input: JSON, or "" for nothing.

    A farm describes its models; of another server the model's config is read.
    """

    def ask(input_name: str) -> str:
        try:
            with AdminClient(client.address) as admin:
                described = admin.describe(model, version)
        except FarmError as error:
            if error.code not in _NOT_TOLD:
                raise
            return _configured(client, model, version, input_name)
        ready = [found for found in described if found.snapshot.state == "ready"]
        return next(
            (t.preprocessing for v in (ready or described)[:1] for t in v.inputs
             if t.name == input_name),
            "",
        )  # fmt: skip

    return ask


def _configured(client: FarmClient, model: str, version: str, input_name: str) -> str:
    try:
        parameters = client.config(model, version).parameters
    except FarmError as error:
        if error.code not in _NOT_TOLD:
            raise
        return ""
    key = f"farm.preprocessing.{input_name}"
    return parameters[key].string_value if key in parameters else ""


def _sources(given: Sequence[str]) -> list[tuple[str, Path | None]]:
    """Return a name, "" for none, and a file, None for standard input, for each file."""
    found: list[tuple[str, Path | None]] = []
    for text in given:
        name, equals, file = text.partition("=") if "=" in text else ("", "", text)
        if not file or (equals and not name):
            raise ConfigurationError(f"--input {text}: write NAME=FILE, FILE, NAME=- or -")
        if file == _STDIN:
            if any(path is None for _, path in found):
                raise ConfigurationError("standard input can be read only once")
            found.append((name, None))
        elif glob.has_magic(file) and not Path(file).exists():
            matches = sorted(glob.glob(file, recursive=True))  # noqa: PTH207
            if not matches:
                raise ConfigurationError(f"--input {text}: no file matches")
            found += [(name, Path(match)) for match in matches]
        else:
            found.append((name, Path(file)))
    return found


def _named(
    name: str, found: dict[str, AnyArray], tensors: Sequence[TensorMetadata], shown: str
) -> dict[str, AnyArray]:
    """Return a file's arrays by the names of the inputs that they are for."""
    if not name:
        return {key if key != UNNAMED else _only(tensors, shown): found[key] for key in found}
    if name in found:
        return {name: found[name]}
    if len(found) == 1:
        return {name: next(iter(found.values()))}
    raise ConfigurationError(
        f"{shown} holds {', '.join(found)} and no '{name}'; leave the name out to send them all"
    )


def _only(tensors: Sequence[TensorMetadata], shown: str) -> str:
    if len(tensors) != 1:
        raise ConfigurationError(
            f"{shown} does not say which input it is for; write NAME=FILE, where NAME is one of"
            f" {', '.join(tensor.name for tensor in tensors)}"
        )
    return tensors[0].name


def _batch(
    name: str,
    contents: Sequence[tuple[str, bytes]],
    tensors: Sequence[TensorMetadata],
    declared: str,
) -> AnyArray:
    tensor = next((tensor for tensor in tensors if tensor.name == name), None)
    if tensor is None:
        raise ConfigurationError(
            f"the model has no input '{name}'; its inputs are"
            f" {', '.join(tensor.name for tensor in tensors)}"
        )
    if not declared:
        raise ConfigurationError(
            f"the model does not declare how a picture becomes its input '{name}'; send an array,"
            f" or have its author set the config parameter farm.preprocessing.{name}"
        )
    preprocessing = parse_preprocessing(declared)
    rows = [
        load_image(content, preprocessing, tensor.datatype, shown=shown)
        for shown, content in contents
    ]
    if len(rows) == 1 and len(tensor.shape) == rows[0].ndim:
        return rows[0]
    return np.stack(rows)
