"""A request's inputs from the contents of files."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from farm.client.datatypes import AnyArray
from farm.client.inputs.files import UNNAMED, fit_datatypes, read_arrays
from farm.client.inputs.images import is_image, load_image
from farm.client.metadata import TensorMetadata
from farm.core.errors import ConfigurationError, InvalidRequestError, UnsupportedError
from farm.core.preprocessing import parse


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFile:
    """The content of a file, and the input it is for.

    `name` may be "" where the model has one input or the file names its arrays. `shown` is
    what messages call the file.
    """

    name: str = ""
    content: bytes
    shown: str


def read_inputs(
    files: Iterable[InputFile],
    tensors: Sequence[TensorMetadata],
    *,
    preprocessing: Callable[[str], str],
) -> dict[str, AnyArray]:
    """Return the inputs in files, by name, with the datatypes of the model's `tensors`.

    Pictures of one input make one batch in the order given; they become numbers as
    `preprocessing`, given an input's name, declares: JSON, or "" for nothing.

    Raises:
        InvalidRequestError: an input is given twice, or not named where it has to be, or a
            file does not fit the model.
        UnsupportedError: the model takes no pictures.
    """
    arrays: dict[str, AnyArray] = {}
    pictures: dict[str, list[InputFile]] = {}
    for file in files:
        if is_image(file.content):
            pictures.setdefault(file.name or _only(tensors, file.shown), []).append(file)
            continue
        for key, array in _named(file, tensors).items():
            if key in arrays:
                raise InvalidRequestError(f"input '{key}' is given twice, again by {file.shown}")
            arrays[key] = array
    for name, batch in pictures.items():
        if name in arrays:
            raise InvalidRequestError(f"input '{name}' is given as pictures and as an array")
        arrays[name] = _batch(name, batch, tensors, preprocessing)
    return fit_datatypes(arrays, {tensor.name: tensor.datatype for tensor in tensors})


def _named(file: InputFile, tensors: Sequence[TensorMetadata]) -> dict[str, AnyArray]:
    """Return a file's arrays by the names of the inputs that they are for."""
    found = read_arrays(file.content, file.shown)
    if not file.name:
        return {key if key != UNNAMED else _only(tensors, file.shown): found[key] for key in found}
    if file.name in found:
        return {file.name: found[file.name]}
    if len(found) == 1:
        return {file.name: next(iter(found.values()))}
    raise InvalidRequestError(
        f"{file.shown} holds {', '.join(found)} and no '{file.name}'; leave the name out to send"
        " them all"
    )


def _only(tensors: Sequence[TensorMetadata], shown: str) -> str:
    if len(tensors) != 1:
        raise InvalidRequestError(
            f"{shown} does not say which input it is for; name one of"
            f" {', '.join(tensor.name for tensor in tensors)}"
        )
    return tensors[0].name


def _batch(
    name: str,
    pictures: Sequence[InputFile],
    tensors: Sequence[TensorMetadata],
    preprocessing: Callable[[str], str],
) -> AnyArray:
    tensor = next((tensor for tensor in tensors if tensor.name == name), None)
    if tensor is None:
        raise InvalidRequestError(
            f"the model has no input '{name}'; its inputs are"
            f" {', '.join(tensor.name for tensor in tensors)}"
        )
    declared = preprocessing(name)
    if not declared:
        raise UnsupportedError(
            f"the model does not declare how a picture becomes its input '{name}'; send an array,"
            f" or have its author set the config parameter farm.preprocessing.{name}"
        )
    try:
        steps = parse(declared)
    except ConfigurationError as error:
        raise UnsupportedError(
            f"what the model declares of pictures for its input '{name}' cannot be applied:"
            f" {error.message}"
        ) from error
    rows = [
        load_image(picture.content, steps, tensor.datatype, shown=picture.shown)
        for picture in pictures
    ]
    if len(rows) == 1 and len(tensor.shape) == rows[0].ndim:
        return rows[0]
    return np.stack(rows)
