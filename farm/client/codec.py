"""numpy arrays to protocol messages and back."""

from collections.abc import Mapping, Sequence
from typing import TypedDict

import numpy as np

from farm.client.datatypes import NAMES, AnyArray, datatype_of, wire_dtype
from farm.client.receipts import ReceiptView
from farm.client.results import InferResult
from farm.core.errors import InvalidRequestError, UnsupportedError
from farm.core.tensors import Datatype, pack_texts, unpack_strings
from farm.pb.open_inference_pb2 import InferParameter, ModelInferRequest, ModelInferResponse
from farm.pb.typed_fields import TYPED_FIELDS

ParameterValue = bool | int | float | str

_LARGEST_INT64 = 2**63 - 1


class RequestOptions(TypedDict, total=False):
    """What a request may say beside its model and inputs; `to_request` explains each."""

    version: str
    outputs: Sequence[str]
    classes: Mapping[str, int] | None
    priority: int
    queue_timeout_s: float | None
    abi: str
    parameters: Mapping[str, ParameterValue] | None
    receipt: bool


def to_request(
    model: str,
    inputs: Mapping[str, AnyArray],
    *,
    request_id: str = "",
    version: str = "",
    outputs: Sequence[str] = (),
    classes: Mapping[str, int] | None = None,
    priority: int = 0,
    queue_timeout_s: float | None = None,
    abi: str = "",
    parameters: Mapping[str, ParameterValue] | None = None,
    receipt: bool = True,
) -> ModelInferRequest:
    """Return a request; arrays of `object` or strings become BYTES.

    Only the `outputs` named are answered, in that order; none means all. An output in
    `classes` is answered as the strings "value:index:label" of its so many largest values,
    and is asked for whether or not it is among `outputs`. Priority 1 goes first, 0 is the
    model's default. A request that waits longer than `queue_timeout_s` is not run. `abi` is
    a range of versions' ABIs, such as ">=2.1,<3".

    Raises:
        InvalidRequestError: an array or a parameter has a type that the protocol lacks, or
            an option is out of its range.
    """
    request = ModelInferRequest(model_name=model, model_version=version, id=request_id)
    for name, given in inputs.items():
        datatype, shape, raw = _tensor(name, given)
        request.inputs.add(name=name, datatype=datatype, shape=shape)
        request.raw_input_contents.append(raw)
    _ask_for(request, outputs, classes or {})
    for key, value in (parameters or {}).items():
        _set(request.parameters[key], key, value)
    if priority:
        _set(request.parameters["priority"], "priority", priority)
    if queue_timeout_s is not None:
        if not queue_timeout_s > 0:
            raise InvalidRequestError(f"queue_timeout_s must be above 0, not {queue_timeout_s}")
        request.parameters["timeout"].int64_param = max(round(queue_timeout_s * 1e6), 1)
    if abi:
        request.parameters["farm_model_abi"].string_param = abi
    if not receipt:
        request.parameters["farm_receipt"].bool_param = False
    return request


def to_result(response: ModelInferResponse) -> InferResult:
    """Return a response with its outputs as arrays, in the order they came.

    Raises:
        UnsupportedError: an output is of a type numpy lacks, or malformed.
    """
    raws = response.raw_output_contents
    if raws and len(response.outputs) != len(raws):
        names = ", ".join(f"'{tensor.name}'" for tensor in response.outputs)
        raise UnsupportedError(
            f"the answer has outputs {names} but {len(raws)} raw contents, which cannot be matched"
        )
    outputs = {
        tensor.name: _typed_array(tensor) if not raws else _raw_array(tensor, raws[position])
        for position, tensor in enumerate(response.outputs)
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
        parameters=parameters,
        receipt=ReceiptView(parameters),
    )


def _tensor(name: str, given: AnyArray) -> tuple[Datatype, tuple[int, ...], bytes]:
    array = np.asarray(given)
    datatype = datatype_of(array)
    if datatype is None:
        raise InvalidRequestError(
            f"input '{name}' is an array of {array.dtype}; the protocol carries"
            f" {', '.join(NAMES)} and strings"
        )
    if datatype is Datatype.BYTES:
        return datatype, array.shape, pack_texts(array.reshape(-1))
    if datatype is not Datatype.BF16:
        array = np.asarray(array, dtype=wire_dtype(datatype))
    return datatype, array.shape, array.tobytes("C")


def _ask_for(
    request: ModelInferRequest, outputs: Sequence[str], classes: Mapping[str, int]
) -> None:
    for name in dict.fromkeys((*outputs, *classes)):
        asked = request.outputs.add(name=name)
        if name in classes:
            if classes[name] < 1:
                raise InvalidRequestError(
                    f"classes of output '{name}' must be at least 1, not {classes[name]}"
                )
            asked.parameters["classification"].int64_param = classes[name]


def _set(parameter: InferParameter, key: str, value: ParameterValue) -> None:
    if isinstance(value, bool):
        parameter.bool_param = value
    elif isinstance(value, int):
        try:
            if value > _LARGEST_INT64:
                parameter.uint64_param = value
            else:
                parameter.int64_param = value
        except ValueError as error:
            raise InvalidRequestError(f"parameter '{key}' does not fit 64 bits") from error
    elif isinstance(value, float):
        parameter.double_param = value
    elif isinstance(value, str):
        parameter.string_param = value
    else:
        raise InvalidRequestError(
            f"parameter '{key}' is {type(value).__name__}; the protocol carries bool, int, float"
            " and str"
        )


def _raw_array(tensor: ModelInferResponse.InferOutputTensor, raw: bytes) -> AnyArray:
    shape = _shape(tensor)
    try:
        if tensor.datatype == Datatype.BYTES:
            return _strings(unpack_strings(raw), shape)
        return np.frombuffer(raw, dtype=wire_dtype(Datatype(tensor.datatype))).reshape(shape)
    except (KeyError, ValueError) as error:
        raise _unreadable(tensor, f"{len(raw)} bytes") from error


def _typed_array(tensor: ModelInferResponse.InferOutputTensor) -> AnyArray:
    shape = _shape(tensor)
    try:
        datatype = Datatype(tensor.datatype)
        values = getattr(tensor.contents, TYPED_FIELDS[datatype])
        if datatype is Datatype.BYTES:
            return _strings(values, shape)
        return np.array(values, dtype=wire_dtype(datatype)).reshape(shape)
    except (KeyError, ValueError, OverflowError) as error:
        raise _unreadable(tensor, "its typed contents") from error


def _shape(tensor: ModelInferResponse.InferOutputTensor) -> tuple[int, ...]:
    shape = tuple(tensor.shape)
    if min(shape, default=0) < 0:
        raise _unreadable(tensor, "contents")
    return shape


def _unreadable(tensor: ModelInferResponse.InferOutputTensor, contents: str) -> UnsupportedError:
    return UnsupportedError(
        f"output '{tensor.name}' cannot be read: {contents} as {tensor.datatype[:32]} of shape"
        f" {list(tensor.shape)}"
    )


def _strings(found: Sequence[bytes], shape: tuple[int, ...]) -> AnyArray:
    elements = np.empty(len(found), dtype=np.object_)
    elements[:] = found
    return elements.reshape(shape)
