"""Whether a batch that could go waits for company, for how long, and why it goes then."""

from dataclasses import dataclass
from math import inf

from farm.core.models import LatencyCurve, ModelSpec
from farm.scheduling.batching import growth_pays
from farm.scheduling.lanes import Lane
from farm.scheduling.limits import SchedulingLimits


@dataclass(frozen=True, slots=True)
class Departure:
    """When a batch may go to a node with a free slot, and the trigger it goes with then."""

    at: float
    trigger: str


AT_ONCE = Departure(-inf, "free_slot")


def departure(
    lane: Lane,
    spec: ModelSpec,
    *,
    curve: LatencyCurve | None,
    rows: int,
    limits: SchedulingLimits,
) -> Departure:
    """Return when a lane's next batch goes, if nobody joins it before.

    A model's `max_queue_delay_s` holds a batch back only where the curve says that a larger
    one takes less time a row, and until enough rows wait: as many as the smallest preferred
    size that has room for the first request or, without preferred sizes, as the model
    takes. A request spends at most half of the time that it has to spare like this, so
    that a late timer or a slow run does not cost it its deadline.

    Args:
        lane: what would ride; its first request is among them in any case.
        spec: the model's.
        curve: the node's seconds by rows, or None where nothing was measured.
        rows: the size of the batch if it went now, at least 1.
        limits: the bounds.
    """
    delay_s = spec.batching.max_queue_delay_s
    if delay_s <= 0 or not spec.shares_batches or curve is None or lane.head().alone:
        return AT_ONCE
    wanted = _wanted_rows(spec, max(lane.head().request.rows, 1))
    if wanted is None:
        return AT_ONCE
    if lane.rows >= wanted and spec.batching.preferred_batch_sizes:
        # Where time presses, a smaller batch goes although a preferred one could be filled.
        return Departure(-inf, "preferred_size" if rows >= wanted else "deadline")
    if lane.rows >= wanted or lane.size_bytes >= limits.max_batch_bytes:
        return Departure(-inf, "full")
    overhead_s = limits.dispatch_overhead_s
    if not growth_pays(curve=curve, rows=rows, up_to=wanted, overhead_s=overhead_s):
        return AT_ONCE
    delay_ends = min(entry.request.arrived_at for entry in lane.live.values()) + delay_s
    time_presses = _half_time(lane, overhead_s + curve.seconds(rows))
    if time_presses < delay_ends:
        return Departure(time_presses, "deadline")
    return Departure(delay_ends, "queue_delay")


def _wanted_rows(spec: ModelSpec, first: int) -> int | None:
    """Return with how many rows a batch waits no longer; None where no preferred size fits."""
    preferred = spec.batching.preferred_batch_sizes
    if not preferred:
        return spec.max_batch_size
    return min((rows for rows in preferred if first <= rows <= spec.max_batch_size), default=None)


def _half_time(lane: Lane, run_s: float) -> float:
    """Return when one of them has spent half of the time it has beside its run."""
    earliest = inf
    for entry in lane.live.values():
        request = entry.request
        latest = inf if request.deadline is None else request.deadline - run_s
        if request.queue_deadline is not None and not entry.delayed:
            latest = min(latest, request.queue_deadline)
        earliest = min(earliest, (request.arrived_at + latest) / 2)
    return earliest
