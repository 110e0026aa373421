"""Whether a request may come in: refused early and in words, or not at all."""

from farm.core.errors import (
    DeadlineExceededError,
    FarmError,
    InvalidRequestError,
    OverloadedError,
    QueueFullError,
)
from farm.core.models import ModelKey, ModelSpec
from farm.core.requests import InferenceRequest
from farm.core.tensors import Tensor, TensorSpec
from farm.core.tensors import fits as shape_fits
from farm.scheduling.lateness import SURE, told
from farm.scheduling.limits import SchedulingLimits
from farm.scheduling.queue import Queues
from farm.scheduling.roster import Outlook

# A model's requests that the quickest node is said to be too slow for are let in again, one
# at a time, after so many seconds: only a run shows that the node is quicker than was measured.
_TRIAL_S = 5.0

# Refused clients come back when so much of the queue should be done, so that it is not empty.
_DRAINED = 0.5


class Admission:
    """Judges requests by the bounds, by what waits already and by what the farm can do.

    A prediction is used only where every node that may run the model is known. It counts
    what goes before the request in its own queue, nothing of other models.
    """

    def __init__(self, queues: Queues, limits: SchedulingLimits) -> None:
        self._queues = queues
        self._limits = limits
        # Since when a model's requests have had too little time, or the last trial was made.
        self._doubted_at: dict[ModelKey, float] = {}

    def refusal(
        self, request: InferenceRequest, spec: ModelSpec, outlook: Outlook | None, now: float
    ) -> FarmError | None:
        """Return why a request must not be queued, or None.

        Args:
            request: the request, for the model of `spec`.
            spec: what is served under its model's name and version.
            outlook: what the farm can do for the model, or None where nothing is known.
            now: seconds on the driver's clock.
        """
        size_bytes = request.size_bytes
        return (
            self._wrong(request, spec, size_bytes)
            or self._too_late(request, spec, outlook, now)
            or self._no_room(request, spec, size_bytes, outlook)
        )

    def _wrong(
        self, request: InferenceRequest, spec: ModelSpec, size_bytes: int
    ) -> FarmError | None:
        bound = self._limits.max_queued_bytes
        if size_bytes > bound:
            return InvalidRequestError(
                f"the request has {size_bytes} bytes, more than the"
                f" {bound} this farm ever queues; send it in smaller parts"
            )
        if spec.batched and request.rows > spec.max_batch_size:
            return InvalidRequestError(
                f"the request has {request.rows} rows, but model '{spec.key.name}' takes at most"
                f" {spec.max_batch_size}; send it in smaller parts"
            )
        return None

    def _no_room(
        self,
        request: InferenceRequest,
        spec: ModelSpec,
        size_bytes: int,
        outlook: Outlook | None,
    ) -> FarmError | None:
        """Refuse what there is no room for, or what is left for other clients.

        A client may have as much waiting as there is room left for. So a flood leaves room,
        a second one half of that, and whoever has nothing waiting is let in while there is
        any (Choudhury and Hahne, "Dynamic queue length thresholds", 1998). As long as all of
        them together have no more than that, none is looked at by itself.
        """
        queues, limits, name = self._queues, self._limits, spec.key.name
        waiting = queues.waiting(spec.key)
        places = limits.max_queue_size - waiting
        free_bytes = limits.max_queued_bytes - queues.size_bytes
        policy = spec.batching.policy(request.priority)
        if places <= 0 or size_bytes > free_bytes:
            full = f"the queue of model '{name}' is full"
        elif (waiting >= places and queues.waiting_of(spec.key, request.client) >= places) or (
            queues.size_bytes + size_bytes > free_bytes
            and queues.bytes_of(request.client) + size_bytes > free_bytes
        ):
            full = f"the rest of the queue of model '{name}' is for other clients than this one"
        elif 0 < policy.max_queue_size <= queues.waiting_at(spec.key, request.priority):
            full = (
                f"{policy.max_queue_size} requests of priority {request.priority} wait for model"
                f" '{name}', as many as its config lets wait"
            )
        else:
            return None
        waiting_s = queues.waiting_rows(spec.key) / outlook.rows_per_s if outlook else 0.0
        after_s = self._pushback_s(waiting_s * _DRAINED)
        return QueueFullError(f"{full}; retry after {after_s:.2g} s", retry_after_s=after_s)

    def _too_late(
        self, request: InferenceRequest, spec: ModelSpec, outlook: Outlook | None, now: float
    ) -> FarmError | None:
        """Refuse what cannot be done by its deadline, on an idle farm or behind what waits."""
        if request.deadline is None:
            return None
        left_s = request.deadline - now
        if left_s <= 0:
            return DeadlineExceededError("the deadline had passed when the request arrived")
        if outlook is None or not outlook.complete:
            return None
        if outlook.best_s * SURE > left_s:
            if self._is_trial(spec.key, now):
                return None
            return DeadlineExceededError(
                f"model '{spec.key.name}' takes {told(outlook.best_s)} on the quickest node,"
                f" and the request has {told(left_s)} left; give it more time"
            )
        self._doubted_at.pop(spec.key, None)
        # What waits in all is known at once, and mostly enough.
        room = outlook.rows_within(left_s) * SURE
        if self._queues.waiting_rows(spec.key) <= room:
            return None
        ahead = self._queues.rows_ahead(request, batched=spec.shares_batches)
        if ahead <= room:
            return None
        done_s = ahead / outlook.rows_per_s + outlook.best_s
        after_s = self._pushback_s((ahead - room) / outlook.rows_per_s)
        return OverloadedError(
            f"the farm is too busy: this request of model '{spec.key.name}' would be done in about"
            f" {told(done_s)} and has {told(left_s)} left; retry after {after_s:.2g} s, or"
            " give it more time",
            retry_after_s=after_s,
        )

    def _is_trial(self, key: ModelKey, now: float) -> bool:
        """Whether a request is let in to see if the farm is really as slow as it seems."""
        doubted_at = self._doubted_at.setdefault(key, now)
        if now - doubted_at < _TRIAL_S or self._queues.waiting(key):
            return False
        self._doubted_at[key] = now
        return True

    def _pushback_s(self, wait_s: float) -> float:
        limits = self._limits
        return max(limits.pushback_s, min(wait_s, limits.max_pushback_s))


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
