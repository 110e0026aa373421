"""The referee's book of what a model's config says: who fits, who may wait beside a free slot."""

from collections.abc import Collection

from farm.core.models import LatencyCurve, ModelSpec
from farm.core.requests import InferenceRequest
from farm.scheduling.batching import WORTHWHILE
from farm.scheduling.limits import SchedulingLimits

# Why a batch may say that it formed.
TRIGGERS = {"free_slot", "lookahead"}
DELAY_TRIGGERS = {"full", "preferred_size", "queue_delay", "deadline"}


def shapes(request: InferenceRequest) -> list[tuple[object, ...]]:
    return [(tensor.name, tensor.datatype, tensor.shape[1:]) for tensor in request.inputs]


def suits(request: InferenceRequest, spec: ModelSpec) -> bool:
    """Whether a request of one input is one for this model."""
    (given,) = request.inputs
    wanted = {tensor.name: tensor for tensor in spec.inputs}
    own = wanted.pop(given.name, None)
    if own is None or own.datatype is not given.datatype:
        return False
    if not all(other.optional for other in wanted.values()):
        return False
    shape = own.model_shape or own.shape
    open_or_equal = [bound in (-1, size) for bound, size in zip(shape, given.shape, strict=False)]
    if len(shape) != len(given.shape) or not all(open_or_equal):
        return False
    if not spec.batched:
        return request.rows == 1
    return given.shape[0] == request.rows <= spec.max_batch_size


def rows_wanted(spec: ModelSpec, first: int) -> int:
    """With so many rows a batch must wait no longer."""
    sizes = spec.batching.preferred_batch_sizes or (spec.max_batch_size,)
    return min((rows for rows in sizes if first <= rows <= spec.max_batch_size), default=0)


def waiting_pays(curve: LatencyCurve | None, rows: int, wanted: int, overhead_s: float) -> bool:
    if curve is None:
        return False
    now = (overhead_s + curve.seconds(rows)) / rows
    return any(
        (overhead_s + curve.seconds(size)) / size < now * WORTHWHILE
        for size in range(rows + 1, wanted + 1)
    )


def held_until(
    lane: Collection[InferenceRequest],
    spec: ModelSpec,
    curves: Collection[LatencyCurve | None],
    limits: SchedulingLimits,
    delayed: Collection[int],
) -> float | None:
    """When requests that could ride together must have left free nodes with these curves.

    None where they must not wait at all.
    """
    if not lane:
        return None
    if not spec.shares_batches or spec.batching.max_queue_delay_s <= 0:
        return None
    rows = sum(request.rows for request in lane)
    wanted = rows_wanted(spec, max(request.rows for request in lane))
    if rows >= spec.max_batch_size or rows >= wanted > 0:
        return None
    overhead_s = limits.dispatch_overhead_s
    if not any(
        waiting_pays(curve, size, spec.max_batch_size, overhead_s)
        for curve in curves
        for size in range(1, rows + 1)
    ):
        return None
    ends = [request.arrived_at + spec.batching.max_queue_delay_s for request in lane]
    for request in lane:
        if request.deadline is not None:
            ends.append((request.arrived_at + request.deadline) / 2)
        if request.queue_deadline is not None and request.id not in delayed:
            ends.append((request.arrived_at + request.queue_deadline) / 2)
    return min(ends)
