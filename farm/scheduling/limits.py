"""Every bound of the scheduler, in one flat place, with units."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulingLimits:
    """Bounds and constants; the defaults serve a shelf of Pis.

    `dispatch_overhead_s` is what a batch costs beside its compute: one actor round trip,
    measured at 1.1 ms. It makes batches of tiny models worth their while.
    `lookahead_horizon_s` is how close to its end a node's work must be before one more
    batch is queued at the node.
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
