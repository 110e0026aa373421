"""Protocol messages to the farm's types and back."""

from collections.abc import Mapping

from farm.core.errors import InvalidRequestError, UnsupportedError
from farm.core.models import ModelSpec
from farm.core.requests import Parameter, Receipt
from farm.core.tensors import Datatype, Tensor
from farm.engine.dataplane import InferenceCall, InferenceResult
from farm.frontend.typed_contents import raw_bytes
from farm.pb.open_inference_pb2 import (
    InferParameter,
    ModelInferRequest,
    ModelInferResponse,
    ModelMetadataResponse,
)

# The platform string by which Triton's clients know ONNX models.
PLATFORM = "onnxruntime_onnx"

_US = 1e-6


def to_call(request: ModelInferRequest, time_left_s: float | None) -> InferenceCall:
    """Return a request in the farm's terms.

    Raises:
        InvalidRequestError: it contradicts the protocol.
        UnsupportedError: it asks for shared memory, sequences or classification.
    """
    parameters = {key: _value(parameter) for key, parameter in request.parameters.items()}
    if parameters.get("sequence_id"):
        raise UnsupportedError("this farm serves no stateful sequences; leave sequence_id out")
    queue_timeout_us = _integer(parameters, "timeout")
    return InferenceCall(
        model=request.model_name,
        version=request.model_version,
        inputs=_inputs(request),
        outputs=tuple(_output_name(output) for output in request.outputs),
        priority=_integer(parameters, "priority"),
        timeout_s=time_left_s,
        queue_timeout_s=queue_timeout_us * _US if queue_timeout_us > 0 else None,
        parameters=parameters,
    )


def to_response(result: InferenceResult, request: ModelInferRequest) -> ModelInferResponse:
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
        _add_receipt(response, result.receipt)
    return response


def to_metadata(spec: ModelSpec, versions: tuple[int, ...]) -> ModelMetadataResponse:
    """Return a model's metadata; shapes include the batch dimension where there is one."""
    response = ModelMetadataResponse(
        name=spec.key.name, versions=[str(version) for version in versions], platform=PLATFORM
    )
    for tensor in spec.inputs:
        response.inputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
    for tensor in spec.outputs:
        response.outputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
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
        tensors.append(
            Tensor(name=given.name, datatype=datatype, shape=tuple(given.shape), raw=raw)
        )
    return tuple(tensors)


def _datatype(given: ModelInferRequest.InferInputTensor) -> Datatype:
    try:
        return Datatype(given.datatype)
    except ValueError as error:
        raise InvalidRequestError(
            f"input '{given.name}' has datatype '{given.datatype[:32]}'; the protocol knows"
            f" {', '.join(Datatype)}"
        ) from error


def _output_name(output: ModelInferRequest.InferRequestedOutputTensor) -> str:
    if output.parameters:
        for unsupported in ("classification", "shared_memory_region"):
            if unsupported in output.parameters:
                raise UnsupportedError(
                    f"output '{output.name}': parameter '{unsupported}' is not offered here"
                )
    return output.name


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


def _wants_receipt(request: ModelInferRequest) -> bool:
    if "farm_receipt" not in request.parameters:
        return True
    wish = request.parameters["farm_receipt"]
    return wish.bool_param or wish.string_param.lower() == "true"


def _add_receipt(response: ModelInferResponse, receipt: Receipt) -> None:
    parameters = response.parameters
    parameters["farm_node"].string_param = receipt.node_id
    parameters["farm_route"].string_param = receipt.route
    parameters["farm_model_digest"].string_param = receipt.digest
    parameters["farm_batch_size"].int64_param = receipt.batch_rows
    parameters["farm_queue_us"].int64_param = round(receipt.queue_s / _US)
    parameters["farm_compute_us"].int64_param = round(receipt.compute_s / _US)
