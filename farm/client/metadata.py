"""What a server says of a model's tensors."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from farm.core.errors import UnsupportedError
from farm.core.tensors import Datatype
from farm.pb.open_inference_pb2 import ModelMetadataResponse


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorMetadata:
    """A tensor; -1 in `shape`, the batch axis included, is any size."""

    name: str
    datatype: Datatype
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelMetadata:
    """A model's tensors and the versions that a server has of it."""

    name: str
    versions: tuple[str, ...]
    platform: str
    inputs: tuple[TensorMetadata, ...]
    outputs: tuple[TensorMetadata, ...]


def to_metadata(response: ModelMetadataResponse) -> ModelMetadata:
    """Return a server's answer as a value.

    Raises:
        UnsupportedError: a tensor has a datatype that this client does not know.
    """
    return ModelMetadata(
        name=response.name,
        versions=tuple(response.versions),
        platform=response.platform,
        inputs=tuple(_tensors(response.inputs)),
        outputs=tuple(_tensors(response.outputs)),
    )


def _tensors(described: Iterable[Any]) -> Iterable[TensorMetadata]:
    for tensor in described:
        try:
            datatype = Datatype(tensor.datatype)
        except ValueError as error:
            raise UnsupportedError(
                f"tensor '{tensor.name}' has datatype '{tensor.datatype[:32]}', which this client"
                " does not know"
            ) from error
        yield TensorMetadata(name=tensor.name, datatype=datatype, shape=tuple(tensor.shape))
