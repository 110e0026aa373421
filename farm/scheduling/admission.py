"""Whether a request may come in: refused early and in words, or not at all."""

from farm.core.errors import (
    DeadlineExceededError,
    FarmError,
    InvalidRequestError,
    QueueFullError,
)
from farm.core.models import ModelSpec
from farm.core.requests import InferenceRequest
from farm.core.tensors import Tensor, TensorSpec
from farm.core.tensors import fits as shape_fits
from farm.scheduling.limits import SchedulingLimits
from farm.scheduling.queue import Queues


def refusal(
    request: InferenceRequest,
    spec: ModelSpec,
    *,
    queues: Queues,
    limits: SchedulingLimits,
    now: float,
) -> FarmError | None:
    """Return why a request must not be queued, or None.

    Args:
        request: the request, for the model of `spec`.
        spec: what is served under its model's name and version.
        queues: what waits already.
        limits: the bounds.
        now: seconds on the driver's clock.
    """
    size_bytes = request.size_bytes
    if size_bytes > limits.max_queued_bytes:
        return InvalidRequestError(
            f"the request has {size_bytes} bytes, more than the"
            f" {limits.max_queued_bytes} this farm ever queues; send it in smaller parts"
        )
    if spec.batched and request.rows > spec.max_batch_size:
        return InvalidRequestError(
            f"the request has {request.rows} rows, but model '{spec.key.name}' takes at most"
            f" {spec.max_batch_size}; send it in smaller parts"
        )
    if request.deadline is not None and request.deadline <= now:
        return DeadlineExceededError("the deadline had passed when the request arrived")
    if (
        queues.waiting(spec.key) >= limits.max_queue_size
        or queues.size_bytes + size_bytes > limits.max_queued_bytes
    ):
        return QueueFullError(
            f"the queue of model '{request.model.name}' is full; retry after"
            f" {limits.pushback_s:g} s",
            retry_after_s=limits.pushback_s,
        )
    bound = spec.batching.policy(request.priority).max_queue_size
    if bound and queues.waiting_at(spec.key, request.priority) >= bound:
        return QueueFullError(
            f"{bound} requests of priority {request.priority} wait for model"
            f" '{request.model.name}', as many as its config lets wait; retry after"
            f" {limits.pushback_s:g} s",
            retry_after_s=limits.pushback_s,
        )
    return None


def fits(request: InferenceRequest, spec: ModelSpec) -> bool:
    """Whether a request that was validated for another spec is one for this spec too.

    Its tensors have the model's own shapes, as `TensorSpec.model_shape` gives them.
    """
    given = {tensor.name: tensor for tensor in request.inputs}
    known = {wanted.name for wanted in spec.inputs}
    if not given.keys() <= known:
        return False
    for wanted in spec.inputs:
        tensor = given.get(wanted.name)
        if not (wanted.optional if tensor is None else _matches(tensor, wanted)):
            return False
    if not spec.batched:
        return request.rows == 1
    same_rows = all(tensor.shape[:1] == (request.rows,) for tensor in request.inputs)
    return same_rows and request.rows <= spec.max_batch_size


def _matches(tensor: Tensor, wanted: TensorSpec) -> bool:
    pattern = wanted.shape if wanted.model_shape is None else wanted.model_shape
    return tensor.datatype is wanted.datatype and shape_fits(tensor.shape, pattern)
