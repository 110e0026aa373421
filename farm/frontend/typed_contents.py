"""Tensors sent as typed protobuf fields, turned into the raw bytes the farm works with."""

from array import array
from collections.abc import Mapping

from farm.core.errors import InvalidRequestError
from farm.core.tensors import Datatype, pack_strings
from farm.pb.open_inference_pb2 import InferTensorContents
from farm.pb.typed_fields import TYPED_FIELDS

# The element type of Python's `array` for each datatype that has a field.
_TYPECODES: Mapping[Datatype, str] = {
    Datatype.BOOL: "B",
    Datatype.INT8: "b",
    Datatype.INT16: "h",
    Datatype.INT32: "i",
    Datatype.INT64: "q",
    Datatype.UINT8: "B",
    Datatype.UINT16: "H",
    Datatype.UINT32: "I",
    Datatype.UINT64: "Q",
    Datatype.FP32: "f",
    Datatype.FP64: "d",
}


def raw_bytes(name: str, datatype: Datatype, contents: InferTensorContents) -> bytes:
    """Return the contents of input `name` as row-major little-endian bytes.

    Raises:
        InvalidRequestError: the contents are in another field than the datatype's, or a
            value does not fit the datatype.
    """
    field = TYPED_FIELDS.get(datatype)
    if field is None:
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
    if datatype is Datatype.BYTES:
        return pack_strings(values)
    try:
        return array(_TYPECODES[datatype], values).tobytes()
    except OverflowError as error:
        raise InvalidRequestError(
            f"input '{name}' has a value that does not fit {datatype}"
        ) from error
