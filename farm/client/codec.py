"""numpy arrays to protocol messages and back."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from farm.client.results import InferResult, ReceiptView
from farm.core.errors import InvalidRequestError, UnsupportedError
from farm.core.tensors import Datatype, pack_strings, unpack_strings
from farm.pb.open_inference_pb2 import ModelInferRequest, ModelInferResponse

AnyArray = NDArray[np.generic]

_DATATYPES: Mapping[str, Datatype] = {
    "bool": Datatype.BOOL,
    "uint8": Datatype.UINT8,
    "uint16": Datatype.UINT16,
    "uint32": Datatype.UINT32,
    "uint64": Datatype.UINT64,
    "int8": Datatype.INT8,
    "int16": Datatype.INT16,
    "int32": Datatype.INT32,
    "int64": Datatype.INT64,
    "float16": Datatype.FP16,
    "float32": Datatype.FP32,
    "float64": Datatype.FP64,
}
DTYPES = {datatype: np.dtype(name).newbyteorder("<") for name, datatype in _DATATYPES.items()}


def to_request(
    model: str,
    inputs: Mapping[str, AnyArray],
    *,
    version: str,
    outputs: Sequence[str],
    request_id: str,
) -> ModelInferRequest:
    """Return a request; arrays of `object` or strings become BYTES.

    Raises:
        InvalidRequestError: an array has a type that the protocol lacks.
    """
    request = ModelInferRequest(model_name=model, model_version=version, id=request_id)
    for name, given in inputs.items():
        array = np.asarray(given)
        if array.dtype.kind in "OSU":
            datatype, raw = Datatype.BYTES, _prefixed(array)
        else:
            known = _DATATYPES.get(array.dtype.name)
            if known is None:
                raise InvalidRequestError(
                    f"input '{name}' is an array of {array.dtype}; the protocol carries"
                    f" {', '.join(_DATATYPES)} and strings"
                )
            datatype = known
            raw = np.ascontiguousarray(array, dtype=DTYPES[datatype]).tobytes()
        request.inputs.add(name=name, datatype=datatype, shape=array.shape)
        request.raw_input_contents.append(raw)
    for name in outputs:
        request.outputs.add(name=name)
    return request


def to_result(response: ModelInferResponse) -> InferResult:
    """Return a response with its outputs as arrays, in the order they came.

    Raises:
        UnsupportedError: the outputs are not raw, of a type numpy lacks, or malformed.
    """
    if len(response.outputs) != len(response.raw_output_contents):
        names = ", ".join(f"'{tensor.name}'" for tensor in response.outputs)
        raise UnsupportedError(f"outputs {names} are not raw, and this client reads raw ones only")
    outputs = {
        tensor.name: _array(tensor.name, tensor.datatype, tuple(tensor.shape), raw)
        for tensor, raw in zip(response.outputs, response.raw_output_contents, strict=True)
    }
    parameters = {
        key: getattr(parameter, parameter.WhichOneof("parameter_choice") or "string_param")
        for key, parameter in response.parameters.items()
    }
    return InferResult(
        model=response.model_name,
        version=response.model_version,
        id=response.id,
        outputs=outputs,
        receipt=ReceiptView(parameters),
    )


def _array(name: str, datatype: str, shape: tuple[int, ...], raw: bytes) -> AnyArray:
    try:
        if min(shape, default=0) < 0:
            raise ValueError("a negative dimension")
        if datatype == Datatype.BYTES:
            return _strings(shape, raw)
        return np.frombuffer(raw, dtype=DTYPES[Datatype(datatype)]).reshape(shape)
    except (KeyError, ValueError) as error:
        raise UnsupportedError(
            f"output '{name}' cannot be read: {len(raw)} bytes as {datatype[:32]} of shape"
            f" {list(shape)}"
        ) from error


def _strings(shape: tuple[int, ...], raw: bytes) -> AnyArray:
    found = unpack_strings(raw)
    elements = np.empty(len(found), dtype=np.object_)
    elements[:] = found
    return elements.reshape(shape)


def _prefixed(array: AnyArray) -> bytes:
    return pack_strings(
        element if isinstance(element, bytes) else str(element).encode()
        for element in array.reshape(-1)
    )
