"""Tensors sent as typed protobuf fields, turned into the raw bytes the farm works with."""

from array import array
from collections.abc import Mapping

from farm.core.errors import InvalidRequestError
from farm.core.tensors import Datatype, pack_strings
from farm.pb.open_inference_pb2 import InferTensorContents

# The field that carries each datatype, and the element type of Python's `array`. FP16 and
# BF16 have no field and travel raw only.
_FIELDS: Mapping[Datatype, tuple[str, str]] = {
    Datatype.BOOL: ("bool_contents", "B"),
    Datatype.INT8: ("int_contents", "b"),
    Datatype.INT16: ("int_contents", "h"),
    Datatype.INT32: ("int_contents", "i"),
    Datatype.INT64: ("int64_contents", "q"),
    Datatype.UINT8: ("uint_contents", "B"),
    Datatype.UINT16: ("uint_contents", "H"),
    Datatype.UINT32: ("uint_contents", "I"),
    Datatype.UINT64: ("uint64_contents", "Q"),
    Datatype.FP32: ("fp32_contents", "f"),
    Datatype.FP64: ("fp64_contents", "d"),
}


def raw_bytes(name: str, datatype: Datatype, contents: InferTensorContents) -> bytes:
    """Return the contents of input `name` as row-major little-endian bytes.

    Raises:
        InvalidRequestError: the contents are in another field than the datatype's, or a
            value does not fit the datatype.
    """
    if datatype is Datatype.BYTES:
        field, typecode = "bytes_contents", ""
    elif datatype in _FIELDS:
        field, typecode = _FIELDS[datatype]
    else:
        raise InvalidRequestError(
            f"input '{name}' is {datatype}, which has no typed contents; send raw_input_contents"
        )
    others = [
        descriptor.name for descriptor, _ in contents.ListFields() if descriptor.name != field
    ]
    if others:
        raise InvalidRequestError(
            f"input '{name}' is {datatype}, so its values belong in {field}, not {others[0]}"
        )
    values = getattr(contents, field)
    if not typecode:
        return pack_strings(values)
    try:
        return array(typecode, values).tobytes()
    except OverflowError as error:
        raise InvalidRequestError(
            f"input '{name}' has a value that does not fit {datatype}"
        ) from error
