"""Inference messages to the farm's types and back."""

from collections.abc import Mapping

from farm.core.errors import InvalidRequestError, UnsupportedError
from farm.core.requests import Parameter
from farm.core.tensors import Datatype, Tensor
from farm.engine.dataplane import InferenceCall, InferenceResult
from farm.frontend.limits import LIMITS
from farm.frontend.receipts import Receipts
from farm.frontend.request_bounds import check_bounds, check_shape, check_strings
from farm.frontend.typed_contents import raw_bytes
from farm.pb.open_inference_pb2 import (
    InferParameter,
    ModelInferRequest,
    ModelInferResponse,
)

# The platform string by which Triton's clients know ONNX models.
PLATFORM = "onnxruntime_onnx"

_US = 1e-6

_OURS = ("farm_model_abi", "farm_receipt")


def to_call(
    request: ModelInferRequest,
    time_left_s: float | None,
    *,
    client: str = "",
    trace_parent: str = "",
) -> InferenceCall:
    """Return a request in the farm's terms.

    Raises:
        InvalidRequestError: it contradicts the protocol, or exceeds a limit.
        UnsupportedError: it asks for shared memory or sequences.
    """
    check_bounds(request, LIMITS)
    parameters = {key: _value(parameter) for key, parameter in request.parameters.items()}
    if unknown := [key for key in parameters if key.startswith("farm_") and key not in _OURS]:
        raise InvalidRequestError(
            f"there is no parameter '{unknown[0][:64]}'; the farm's own are {', '.join(_OURS)}"
        )
    if parameters.get("sequence_id"):
        raise UnsupportedError("this farm serves no stateful sequences; leave sequence_id out")
    queue_timeout_us = _integer(parameters, "timeout")
    if queue_timeout_us < 0:
        raise InvalidRequestError("parameter 'timeout' is microseconds, 0 for none, never below")
    return InferenceCall(
        model=request.model_name,
        version=request.model_version,
        abi=_text(parameters, "farm_model_abi"),
        inputs=_inputs(request),
        outputs=tuple(output.name for output in request.outputs),
        classes=_classes(request),
        priority=_integer(parameters, "priority"),
        timeout_s=time_left_s,
        queue_timeout_s=queue_timeout_us * _US if queue_timeout_us > 0 else None,
        client=client,
        given_id=request.id,
        trace_parent=trace_parent,
        parameters=parameters,
    )


def to_response(
    result: InferenceResult, request: ModelInferRequest, receipts: Receipts
) -> ModelInferResponse:
    """Return an answer: raw contents in output order, the request's id, the receipt."""
    response = ModelInferResponse(
        model_name=result.model.name,
        model_version=str(result.model.version),
        id=request.id,
        raw_output_contents=[tensor.raw for tensor in result.outputs],
    )
    for tensor in result.outputs:
        response.outputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
    if _wants_receipt(request):
        receipts.put(response, result.receipt, result.price)
    return response


def _inputs(request: ModelInferRequest) -> tuple[Tensor, ...]:
    raws = request.raw_input_contents
    if raws and len(raws) != len(request.inputs):
        raise InvalidRequestError(
            f"the request has {len(request.inputs)} inputs but {len(raws)} raw_input_contents;"
            " send one for each input, in the same order, or none"
        )
    tensors = []
    for position, given in enumerate(request.inputs):
        if given.parameters and "shared_memory_region" in given.parameters:
            raise UnsupportedError(
                f"input '{given.name}' is in shared memory, which this farm does not offer; send"
                " the data in the request"
            )
        datatype = _datatype(given)
        if not raws:
            raw = raw_bytes(given.name, datatype, given.contents)
        elif given.HasField("contents"):
            raise InvalidRequestError(
                f"input '{given.name}' has typed contents beside raw_input_contents; send all"
                " inputs one way"
            )
        else:
            raw = raws[position]
        shape = tuple(given.shape)
        check_shape(given.name, shape, LIMITS)
        if datatype is Datatype.BYTES:
            check_strings(given.name, raw, LIMITS)
        tensors.append(Tensor(name=given.name, datatype=datatype, shape=shape, raw=raw))
    return tuple(tensors)


def _datatype(given: ModelInferRequest.InferInputTensor) -> Datatype:
    try:
        return Datatype(given.datatype)
    except ValueError as error:
        raise InvalidRequestError(
            f"input '{given.name}' has datatype '{given.datatype[:32]}'; the protocol knows"
            f" {', '.join(Datatype)}"
        ) from error


def _classes(request: ModelInferRequest) -> dict[str, int]:
    """Return how many classes each output is asked for as, for those that are."""
    classes = {}
    for output in request.outputs:
        if not output.parameters:
            continue
        if "shared_memory_region" in output.parameters:
            raise UnsupportedError(
                f"output '{output.name}' is to go to shared memory, which this farm does not offer"
            )
        if "classification" in output.parameters:
            values = {"classification": _value(output.parameters["classification"])}
            classes[output.name] = _integer(values, "classification")
    return classes


def _value(parameter: InferParameter) -> Parameter:
    choice = parameter.WhichOneof("parameter_choice")
    if choice is None:
        raise InvalidRequestError("a request parameter has no value")
    value: Parameter = getattr(parameter, choice)
    return value


def _integer(parameters: Mapping[str, Parameter], key: str) -> int:
    value = parameters.get(key, 0)
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidRequestError(f"parameter '{key}' must be an integer, not {value!r:.40}")
    return value


def _text(parameters: Mapping[str, Parameter], key: str) -> str:
    value = parameters.get(key, "")
    if not isinstance(value, str):
        raise InvalidRequestError(f"parameter '{key}' must be a text, not {value!r:.40}")
    return value


def _wants_receipt(request: ModelInferRequest) -> bool:
    if "farm_receipt" not in request.parameters:
        return True
    wish = request.parameters["farm_receipt"]
    return wish.bool_param or wish.string_param.lower() == "true"
