"""Every bound of the scheduler, in one flat place, with units."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulingLimits:
    """Bounds and constants; the defaults serve a shelf of Pis.

    Queues: `max_queue_size` requests wait for one model, `max_queued_bytes` of inputs for
    all of them; `max_batch_bytes` bounds the inputs of one batch.
    Retries: a request may fail `max_attempts` times; `retry_ratio` retries are earned by
    each accepted request, up to `retry_reserve`, which is there from the start.
    `pushback_s` is what refused clients are told to wait.
    Batches: `dispatch_overhead_s` is what a batch costs beside its compute, one actor round
    trip, measured at 1.1 ms; it makes batches of tiny models worth their while.
    `lookahead_horizon_s` is how close to its end a node's work must be before one more
    batch is queued at the node.
    Ejection: after `eject_after_failures` batches in a row failed on it, a node is out for
    `eject_base_s`, twice as long each time up to `eject_max_s`; never more than
    `eject_max_fraction` of the farm at once.
    """

    max_queue_size: int = 2_000
    max_queued_bytes: int = 512 << 20
    max_batch_bytes: int = 32 << 20
    max_attempts: int = 2
    retry_ratio: float = 0.2
    retry_reserve: int = 100
    pushback_s: float = 0.25
    dispatch_overhead_s: float = 0.001
    lookahead_horizon_s: float = 0.025
    eject_after_failures: int = 3
    eject_base_s: float = 1.0
    eject_max_s: float = 60.0
    eject_max_fraction: float = 0.5
