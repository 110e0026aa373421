"""The requests with which a config wants a model warmed up before it gets traffic.

The bytes of an `input_data_file` lie in `<model>/warmup/`. They are one row, as the wire
carries it; a warm-up of more rows repeats it, as in Triton.
"""

from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import Final

from farm.core.errors import ConfigurationError
from farm.core.models import ModelFile, Warmup, WarmupData, WarmupInput
from farm.core.tensors import Datatype, TensorSpec, filled, fits, unpack_strings
from farm.pb.model_config_pb2 import ModelConfig, ModelWarmup
from farm.repository.digests import file_of
from farm.repository.files import read_bounded
from farm.repository.names import path_problem, shown
from farm.repository.tensor_config import datatype_of

WARMUP_FOLDER: Final = "warmup"
MAX_WARMUP_BYTES: Final = 64 << 20
MAX_WARMUP_COUNT: Final = 10_000

_STRING_BYTES: Final = 4  # an empty string's length prefix


class WarmupReader:
    """Reads the `model_warmup` of one model; `inputs` are those its config declares."""

    def __init__(
        self,
        root: Path,
        model: str,
        *,
        inputs: Sequence[TensorSpec],
        max_batch_size: int | None,
        where: str,
    ) -> None:
        self._root = root
        self._folder = f"{model}/{WARMUP_FOLDER}"
        self._inputs = {spec.name: spec for spec in inputs}
        self._max_batch_size = max_batch_size
        self._where = where

    def read(self, config: ModelConfig) -> tuple[tuple[Warmup, ...], tuple[str, ...]]:
        """Return the warm-ups, and a warning for each one that Triton would skip too.

        Raises:
            FarmError: one is incomplete, contradicts the config, or its file is not to be
                read; the message names it.
        """
        warmups: list[Warmup] = []
        warnings: list[str] = []
        for index, declared in enumerate(config.model_warmup):
            place = f"{self._where}: model_warmup[{index}]"
            if declared.batch_size == 0:
                warnings.append(f"{place} has no effect: its batch_size is 0")
            else:
                warmups.append(self._warmup(declared, place))
        return tuple(warmups), tuple(warnings)

    def _warmup(self, declared: ModelWarmup, place: str) -> Warmup:
        most = self._max_batch_size
        if most and declared.batch_size > most:
            raise ConfigurationError(
                f"{place}.batch_size is {declared.batch_size}, above max_batch_size {most};"
                " lower it"
            )
        if declared.count > MAX_WARMUP_COUNT:
            raise ConfigurationError(
                f"{place}.count is {declared.count}, above {MAX_WARMUP_COUNT}; lower it"
            )
        missing = [
            name
            for name, spec in self._inputs.items()
            if not spec.optional and name not in declared.inputs
        ]
        if missing or not declared.inputs:
            raise ConfigurationError(
                f"{place}.inputs lacks {shown(', '.join(missing)) or 'every input'}; a warm-up is"
                " a whole request"
            )
        rows = 0 if most == 0 else declared.batch_size
        return Warmup(
            name=declared.name,
            batch_size=rows,
            count=declared.count or 1,
            inputs=tuple(
                self._input(name, declared.inputs[name], rows, f"{place}.inputs['{shown(name)}']")
                for name in sorted(declared.inputs)
            ),
        )

    def _input(self, name: str, declared: ModelWarmup.Input, rows: int, place: str) -> WarmupInput:
        datatype = datatype_of(declared.data_type)
        dims = tuple(declared.dims)
        if datatype is None or any(size < 1 for size in dims):
            raise ConfigurationError(
                f"{place} must have data_type, and dims of 1 or more each; complete it"
            )
        elements = prod(dims)
        if elements * (datatype.width_bytes or _STRING_BYTES) * max(rows, 1) > MAX_WARMUP_BYTES:
            raise ConfigurationError(
                f"{place} is larger than {MAX_WARMUP_BYTES} bytes with all rows; lower dims or"
                " batch_size"
            )
        shape = self._model_shape(name, datatype, dims, place)
        choice = declared.WhichOneof("input_data_type")
        if choice is None:
            raise ConfigurationError(
                f"{place} says nothing of its data; set zero_data, random_data or input_data_file"
            )
        if choice == "input_data_file":
            file = self._file(declared.input_data_file, datatype, elements, place)
            return WarmupInput(
                name=name, datatype=datatype, shape=shape, data=WarmupData.FILE, file=file
            )
        # As in Triton, strings are empty even where they should be random.
        random = choice == "random_data" and datatype is not Datatype.BYTES
        data = WarmupData.RANDOM if random else WarmupData.ZERO
        return WarmupInput(name=name, datatype=datatype, shape=shape, data=data)

    def _model_shape(
        self, name: str, datatype: Datatype, dims: tuple[int, ...], place: str
    ) -> tuple[int, ...]:
        """Return the shape of a row as the model sees it, once `dims` fit what is declared."""
        if not self._inputs:
            return dims
        spec = self._inputs.get(name)
        if spec is None:
            raise ConfigurationError(
                f"{place} is no input of the model; declared are {shown(', '.join(self._inputs))}"
            )
        batch_axes = 1 if self._max_batch_size else 0
        wire = spec.shape[batch_axes:]
        if datatype is not spec.datatype or not fits(dims, wire):
            raise ConfigurationError(
                f"{place} is {datatype} {list(dims)}, but the input is {spec.datatype}"
                f" {shown(str(list(wire)))}; make them equal"
            )
        if spec.model_shape is None:
            return dims
        return filled(spec.model_shape[batch_axes:], dims, wire)

    def _file(self, filename: str, datatype: Datatype, elements: int, place: str) -> ModelFile:
        place = f"{place}.input_data_file"
        if problem := path_problem(filename):
            raise ConfigurationError(
                f"{place} is '{shown(filename)}', which cannot be a file's name: {problem}"
                " (correct it)"
            )
        path = f"{self._folder}/{filename}"
        try:
            data = read_bounded(self._root, path, MAX_WARMUP_BYTES)
        except FileNotFoundError as error:
            raise ConfigurationError(
                f"{place} is '{shown(filename)}', but there is no file {shown(path)}; add it"
            ) from error
        width = datatype.width_bytes
        if width is not None and len(data) != elements * width:
            raise ConfigurationError(
                f"{shown(path)} has {len(data)} bytes, but {datatype} with dims of {elements}"
                f" elements takes {elements * width}; put one row into the file"
            )
        if width is None and not _holds_strings(data, elements):
            raise ConfigurationError(
                f"{shown(path)} does not hold {elements} strings; each is a 4-byte little-endian"
                " length and that many bytes"
            )
        return file_of(f"{WARMUP_FOLDER}/{filename}", data)


def _holds_strings(data: bytes, count: int) -> bool:
    try:
        return len(unpack_strings(data)) == count
    except ValueError:
        return False
