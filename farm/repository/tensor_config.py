"""The inputs and outputs that a config declares, with their reshapes."""

from collections.abc import Iterable, Sequence
from math import prod

from farm.core.errors import ConfigurationError
from farm.core.tensors import Datatype, TensorSpec
from farm.pb.model_config_pb2 import DataType, ModelInput, ModelOutput
from farm.repository.names import shown


def declared_tensors(
    field: str, declared: Iterable[ModelInput | ModelOutput], *, batched: bool, where: str
) -> tuple[TensorSpec, ...]:
    """Return the tensors of `input` or `output`: whole shapes, -1 in front where batched.

    Raises:
        ConfigurationError: one is incomplete or contradicts itself; the message names it.
    """
    batch_axis = (-1,) if batched else ()
    specs: list[TensorSpec] = []
    names: set[str] = set()
    for index, tensor in enumerate(declared):
        place = f"{where}: {field}[{index}]"
        datatype = datatype_of(tensor.data_type)
        if not tensor.name or datatype is None or not tensor.dims:
            raise ConfigurationError(
                f"{place} must have name, data_type and dims; complete it, or leave {field} out"
                " to take it from the model"
            )
        if tensor.name in names:
            raise ConfigurationError(
                f"{place} has the name '{shown(tensor.name)}' of another one; remove one of them"
            )
        names.add(tensor.name)
        _check_dims(tensor.dims, f"{place}.dims")
        model_shape = None
        if tensor.HasField("reshape"):
            inner = tuple(tensor.reshape.shape)
            _check_dims(inner, f"{place}.reshape.shape")
            if _sections(tensor.dims) != _sections(inner):
                raise ConfigurationError(
                    f"{place}.reshape.shape is {shown(str(list(inner)))}, which has not the"
                    f" elements of dims {shown(str(list(tensor.dims)))}; let sizes between"
                    " dimensions of -1 multiply to the same number"
                )
            if inner != tuple(tensor.dims):
                model_shape = (*batch_axis, *inner)
        specs.append(
            TensorSpec(
                name=tensor.name,
                datatype=datatype,
                shape=(*batch_axis, *tensor.dims),
                optional=isinstance(tensor, ModelInput) and tensor.optional,
                model_shape=model_shape,
            )
        )
    return tuple(specs)


def datatype_of(number: int) -> Datatype | None:
    """Return the protocol's type for a number of the config's enum, if there is one."""
    if number not in DataType.values() or number == DataType.TYPE_INVALID:
        return None
    spelling = DataType.Name(number).removeprefix("TYPE_")
    return Datatype.BYTES if spelling == "STRING" else Datatype(spelling)


def _check_dims(dims: Sequence[int], place: str) -> None:
    if any(size < 1 and size != -1 for size in dims):
        raise ConfigurationError(
            f"{place} is {shown(str(list(dims)))}; a dimension is 1 or more, or -1 for any size"
        )


def _sections(dims: Iterable[int]) -> tuple[int, ...]:
    """Return the elements of the stretches between dimensions of any size, as Triton does."""
    sections: list[list[int]] = [[]]
    for size in dims:
        if size == -1:
            sections.append([])
        else:
            sections[-1].append(size)
    return tuple(prod(section) for section in sections)
