"""Which split of a node's cores a model's batches run on, by its measured curves."""

from collections.abc import Sequence
from dataclasses import dataclass

from farm.core.models import LatencyCurve, ModelSpec, Objective
from farm.core.nodes import NodeProfile

# Splits no further apart than this are equal. The one with more slots is taken then: it
# keeps fewer cores waiting when there are fewer requests than a batch would hold.
_TIE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What the files of a digest are run for, over all versions that are made of them.

    `max_rows` is the largest request, 0 without a batch axis; `batch_rows` the most rows
    that requests are joined to. At most `instances` batches run on a node at once, or, for
    0, as many as it has slots.
    """

    objective: Objective
    max_rows: int
    batch_rows: int
    instances: int


def demand(specs: Sequence[ModelSpec]) -> Demand:
    """Return what one or more versions with the same digest ask for together.

    A node runs a digest on one split. One version that is tuned for latency decides it: more
    throughput than a model needs helps nobody, more latency than it bears does harm.
    """
    latency = any(spec.objective is Objective.LATENCY for spec in specs)
    instances = [spec.max_instances for spec in specs]
    return Demand(
        objective=Objective.LATENCY if latency else Objective.THROUGHPUT,
        max_rows=max(spec.max_batch_size for spec in specs),
        batch_rows=max(spec.max_batch_size if spec.shares_batches else 1 for spec in specs),
        instances=max(instances) if all(instances) else 0,
    )


def choose(
    curves: Sequence[LatencyCurve], wanted: Demand, profile: NodeProfile
) -> LatencyCurve | None:
    """Return the curve of the split that suits a demand best, None where there is none.

    For throughput that is the split with the most rows a second at its best batch size, for
    latency the one that answers a batch of one row soonest.
    """
    by_slots = sorted(curves, key=lambda curve: -slots(curve, profile))
    if wanted.objective is Objective.LATENCY:
        soonest_s = min((curve.seconds(1) for curve in by_slots), default=0.0)
        bound_s = soonest_s * (1 + _TIE)
        return next((curve for curve in by_slots if curve.seconds(1) <= bound_s), None)
    most = max((_rows_per_s(curve, wanted, profile) for curve in by_slots), default=0.0)
    bound = most * (1 - _TIE)
    return next((c for c in by_slots if _rows_per_s(c, wanted, profile) >= bound), None)


def slots(curve: LatencyCurve, profile: NodeProfile) -> int:
    """Return how many batches a node runs at once on a curve's split."""
    return max(profile.capacity // (curve.threads or profile.threads_per_slot), 1)


def _rows_per_s(curve: LatencyCurve, wanted: Demand, profile: NodeProfile) -> float:
    together = slots(curve, profile)
    if wanted.instances:
        together = min(together, wanted.instances)
    smallest = curve.points[0][0]
    limit = max(wanted.batch_rows, smallest)
    return together * max(rows / seconds for rows, seconds in curve.points if rows <= limit)
