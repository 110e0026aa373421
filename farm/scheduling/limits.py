"""Every bound of the scheduler, in one flat place, with units."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Hedging:
    """When a batch runs a second time elsewhere.

    That is when it takes `after_factor` times as long as predicted, and `after_min_s` at
    least.
    """

    after_factor: float = 2.0
    after_min_s: float = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulingLimits:
    """Bounds and constants; the defaults serve a shelf of Pis.

    Queues: `max_queue_size` requests wait for one model, `max_queued_bytes` of inputs for
    all of them; `max_batch_bytes` bounds the inputs of one batch. Where it is `fair`, clients
    take turns, and what waits of one client never outnumbers the places that are left.
    Retries: a request may fail `max_attempts` times, and as often again if that was with a
    node that died while the request ran in a process of its own; `retry_ratio` retries are
    earned by each accepted request, up to `retry_reserve`, which is there from the start.
    `pushback_s` is what refused clients are told to wait at least; where it is known how fast
    the farm works, half of what the queue takes, up to `max_pushback_s`.
    Batches: `dispatch_overhead_s` is what a batch is taken to cost beside its compute, on its
    way and at both ends, until its node has shown it; it makes batches of tiny models worth
    their while.
    `lookahead_trips` round trips of a node, but `lookahead_floor_s` at least, is how close
    to its end a batch must be before the next one is queued behind it at the node.
    Ejection: after `eject_after_failures` batches in a row failed on it, a node is out for
    `eject_base_s`, twice as long each time up to `eject_max_s`; never more than
    `eject_max_fraction` of the farm at once. Then it must answer a probe within
    `probe_timeout_s`.
    Suspicion: a node gets no new batches without a heartbeat for `suspect_after_s`, where
    one comes every second, nor while a batch takes longer than `overdue_factor` times its
    prediction and `overdue_min_s`, or than `overdue_unknown_s` where nothing is predicted.
    It is given up when a batch is overdue by `hung_after_s`, or is overdue while no heartbeat
    came for `hung_silent_s` more, which leaves every other node time to fall silent too. If an
    alarm comes later than `stall_s`, the gateway stood still: nodes get as long again. Where
    more than `panic_fraction` of the nodes are suspect or ejected, all get batches.
    Busy: a node that was full is left alone for `busy_pause_s`; a request that full nodes
    turned away `max_refusals` times is refused.
    """

    max_queue_size: int = 2_000
    max_queued_bytes: int = 512 << 20
    max_batch_bytes: int = 32 << 20
    fair: bool = True
    max_attempts: int = 2
    retry_ratio: float = 0.2
    retry_reserve: int = 500
    pushback_s: float = 0.25
    max_pushback_s: float = 5.0
    dispatch_overhead_s: float = 0.001
    lookahead_trips: float = 3.0
    lookahead_floor_s: float = 0.005
    eject_after_failures: int = 3
    eject_base_s: float = 1.0
    eject_max_s: float = 60.0
    eject_max_fraction: float = 0.5
    probe_timeout_s: float = 10.0
    suspect_after_s: float = 2.0
    overdue_factor: float = 8.0
    overdue_min_s: float = 2.0
    overdue_unknown_s: float = 60.0
    hung_after_s: float = 30.0
    hung_silent_s: float = 1.5
    stall_s: float = 1.0
    panic_fraction: float = 0.5
    busy_pause_s: float = 0.03
    max_refusals: int = 200
    hedging: Hedging | None = None
