"""Whether a request may come in: refused early and in words, or not at all."""

from farm.core.errors import (
    DeadlineExceededError,
    FarmError,
    InvalidRequestError,
    QueueFullError,
)
from farm.core.models import ModelSpec
from farm.core.requests import InferenceRequest
from farm.scheduling.limits import SchedulingLimits


def refusal(
    request: InferenceRequest,
    spec: ModelSpec,
    *,
    queued: int,
    queued_bytes: int,
    limits: SchedulingLimits,
    now: float,
) -> FarmError | None:
    """Return why a request must not be queued, or None.

    Args:
        request: the request, for the model of `spec`.
        spec: what is served under its model's name and version.
        queued: requests that wait for this model.
        queued_bytes: input bytes that wait for any model.
        limits: the bounds.
        now: seconds on the driver's clock.
    """
    if request.size_bytes > limits.max_queued_bytes:
        return InvalidRequestError(
            f"the request has {request.size_bytes} bytes, more than the"
            f" {limits.max_queued_bytes} this farm ever queues; send it in smaller parts"
        )
    too_large = misfit(request, spec)
    if too_large is not None:
        return too_large
    if request.deadline is not None and request.deadline <= now:
        return DeadlineExceededError("the deadline had passed when the request arrived")
    if (
        queued >= limits.max_queue_size
        or queued_bytes + request.size_bytes > limits.max_queued_bytes
    ):
        return QueueFullError(
            f"the queue of model '{request.model.name}' is full; retry after"
            f" {limits.pushback_s:g} s",
            retry_after_s=limits.pushback_s,
        )
    return None


def misfit(request: InferenceRequest, spec: ModelSpec) -> InvalidRequestError | None:
    """Return why a request is too large for a model, if it is."""
    if not spec.batched or request.rows <= spec.max_batch_size:
        return None
    return InvalidRequestError(
        f"the request has {request.rows} rows, but model '{spec.key.name}' takes at most"
        f" {spec.max_batch_size}; send it in smaller parts"
    )
