"""What runs of the scheduler draw from: models, nodes and bounds of every kind."""

from typing import Any

from harness import (
    FLAT,
    OTHER,
    PAYING,
    SCALE,
    SOLO,
    Ready,
    calm,
    digest,
    spec,
    tensor_spec,
)
from hypothesis import strategies as st

from farm.core.models import (
    DynamicBatching,
    LatencyCurve,
    ModelKey,
    ModelSpec,
    Objective,
    QueuePolicy,
    TimeoutAction,
)
from farm.scheduling.limits import Hedging, SchedulingLimits

Curve = LatencyCurve | None


def impatient(*, overdue_s: float = 2.0, **limits: Any) -> SchedulingLimits:
    """Limits under which every batch is overdue after the same time, whatever is predicted."""
    return SchedulingLimits(
        overdue_min_s=overdue_s, overdue_unknown_s=overdue_s, overdue_factor=0.0, **limits
    )


SPECS = {
    SCALE: spec(SCALE, max_batch_size=4),
    OTHER: spec(OTHER, max_batch_size=8, objective=Objective.LATENCY),
    SOLO: spec(SOLO, max_batch_size=0),
}
NODES = ("a", "b", "c")
NEWER = "digest-newer"
SLOW = FLAT.scaled(6.0)
QUICK = PAYING.scaled(0.2)


def ready(scale: Curve, other: Curve, solo: Curve) -> Ready:
    return {digest(SCALE): scale, digest(OTHER): other, digest(SOLO): solo, NEWER: scale}


def on(curve: LatencyCurve, threads: int) -> LatencyCurve:
    """The same curve, for batches on so many threads."""
    return LatencyCurve(curve.points, threads)


# What nodes measured: nothing, or boards of unlike speed, whose models split their cores alike
# or not.
READY = (
    ready(None, None, None),
    ready(FLAT, FLAT, FLAT),
    ready(PAYING, PAYING, PAYING),
    ready(SLOW, SLOW, SLOW),
    ready(on(QUICK, 1), on(FLAT, 4), on(QUICK, 2)),
    ready(on(PAYING, 2), on(QUICK, 1), None),
    ready(on(SLOW, 3), on(PAYING, 1), on(FLAT, 4)),
)
JOULES = {digest(SCALE): 0.5, digest(OTHER): 2.0}
NARROW = (tensor_spec(shape=(-1, 4), model_shape=(-1, 2)),)
RENAMED = (tensor_spec("z"),)
LIMITS = (
    impatient(),
    impatient(
        max_queue_size=6,
        max_queued_bytes=160,
        max_batch_bytes=40,
        retry_reserve=2,
        eject_after_failures=2,
        eject_max_fraction=0.67,
    ),
    impatient(retry_reserve=1, retry_ratio=0.0, eject_after_failures=1, max_attempts=3),
    impatient(hedging=Hedging(after_factor=1.0), overdue_s=6.0, max_refusals=2),
    calm(hedging=Hedging(after_factor=2.0, after_min_s=0.5), retry_reserve=3, busy_pause_s=0.5),
)


@st.composite
def batchings(draw: st.DrawFn) -> DynamicBatching:
    policies = st.builds(
        QueuePolicy,
        max_queue_size=st.sampled_from([0, 0, 2, 5]),
        timeout_action=st.sampled_from(TimeoutAction),
    )
    return DynamicBatching(
        preferred_batch_sizes=draw(st.sampled_from([(), (), (4,), (8, 2), (6, 3)])),
        max_queue_delay_s=draw(st.sampled_from([0.0, 0.05, 0.5, 3.0])),
        queue=draw(policies),
        queue_by_priority=draw(st.dictionaries(st.sampled_from([1, 2]), policies)),
    )


@st.composite
def specs(draw: st.DrawFn, key: ModelKey) -> ModelSpec:
    """What a version may be reloaded as: other files, inputs, bounds or waiting rules."""
    return spec(
        key,
        max_batch_size=draw(st.sampled_from([4, 8, 8, 8, 0])),
        digest_=draw(st.sampled_from([digest(key), digest(key), NEWER])),
        inputs=draw(st.sampled_from([(), (), NARROW, RENAMED])),
        batching=draw(batchings()),
        max_instances=draw(st.sampled_from([0, 0, 1, 2])),
        joins=draw(st.sampled_from([True, True, False])),
    )
