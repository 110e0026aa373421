"""The referee's book of nodes: what runs there, and what is held against them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf

from farm.core.models import LatencyCurve
from farm.core.nodes import NodeProfile
from farm.core.requests import Batch
from farm.scheduling.limits import SchedulingLimits

Identity = tuple[str, str]


@dataclass
class Seat:
    """A node as events and effects describe it. `started` has its batches in order."""

    profile: NodeProfile
    ready: Mapping[str, LatencyCurve | None]
    cordoned: bool = False
    heard_at: float = inf
    silent: bool = False
    ejected_until: float | None = None
    probed_until: float | None = None
    paused_until: float = -inf
    flights: dict[int, Batch] = field(default_factory=dict)
    started: dict[int, float] = field(default_factory=dict)
    overdue_since: dict[int, float] = field(default_factory=dict)

    @property
    def identity(self) -> Identity:
        return self.profile.node_id, self.profile.incarnation

    @property
    def out(self) -> bool:
        return self.ejected_until is not None or self.probed_until is not None

    @property
    def trusted(self) -> bool:
        return not self.out and not self.silent and not self.overdue_since

    def board(self, batch: Batch, now: float) -> None:
        self.flights[batch.id] = batch
        self._start(now)

    def leave(self, batch_id: int, now: float) -> None:
        del self.flights[batch_id]
        self.started.pop(batch_id, None)
        self.overdue_since.pop(batch_id, None)
        self._start(now)

    def threads(self, digest: str) -> int:
        """What a batch of a digest runs on."""
        curve = self.ready[digest]
        threads = (curve.threads if curve is not None else 0) or self.profile.threads_per_slot
        return min(threads, self.profile.capacity)

    def has_room(self, digest: str) -> bool:
        """Whether a batch of a digest could start at once."""
        return self.claimed() + self.threads(digest) <= self.profile.capacity

    @property
    def is_full(self) -> bool:
        """Whether no batch at all could start at once."""
        return self.claimed() >= self.profile.capacity

    def takes(self, threads: int) -> bool:
        """Whether a batch on so many threads starts at once, or may wait for them here."""
        if self.claimed() + threads <= self.profile.capacity:
            return True
        waiting = len(self.flights) - len(self.started)
        return waiting < len(self.started) * self.profile.lookahead

    def claimed(self) -> int:
        return sum(batch.threads for batch in self.flights.values())

    def _start(self, now: float) -> None:
        """Threads go to whoever waited longest, and to nobody past it."""
        for batch_id, batch in self.flights.items():
            if batch_id in self.started:
                continue
            taken = sum(self.flights[other].threads for other in self.started)
            if taken + batch.threads > self.profile.capacity:
                return
            self.started[batch_id] = now


class Seats(dict[str, Seat]):
    """All nodes that the machine may know, and whether too many of them are out."""

    def __init__(self, limits: SchedulingLimits) -> None:
        super().__init__()
        self._limits = limits
        self._excused_until = -inf
        self.panic = False

    def usable(self, digest: str, now: float) -> list[Seat]:
        """Who may get batches of a digest."""
        return [
            seat
            for seat in self.values()
            if digest in seat.ready
            and not seat.cordoned
            and seat.paused_until <= now
            and (seat.trusted or self.panic)
        ]

    def excuse(self, now: float) -> None:
        """The gateway stood still."""
        self._excused_until = now + self._limits.stall_s

    def judge(self, now: float) -> list[Seat]:
        """Suspect whom time says, and return those that must be given up."""
        limits = self._limits
        for seat in self.values():
            seat.silent |= self._is_past(seat.heard_at + limits.suspect_after_s, now)
            for batch_id, started_at in seat.started.items():
                bound_s = self._bound_s(seat, seat.flights[batch_id])
                if self._is_past(started_at + bound_s, now):
                    seat.overdue_since.setdefault(batch_id, now)
        in_use = [seat for seat in self.values() if not seat.cordoned]
        out = sum(not seat.trusted for seat in in_use)
        self.panic = out > len(in_use) * limits.panic_fraction
        return [seat for seat in self.values() if self._hangs(seat, now)]

    def _hangs(self, seat: Seat, now: float) -> bool:
        if not seat.overdue_since:
            return False
        since = min(seat.overdue_since.values())
        limits = self._limits
        silent_at = inf if self.panic else seat.heard_at + limits.suspect_after_s
        hung_at = min(since + limits.hung_after_s, silent_at + limits.hung_silent_s)
        return self._is_past(hung_at, now)

    def _is_past(self, at: float, now: float) -> bool:
        return now >= max(at, self._excused_until)

    def _bound_s(self, seat: Seat, batch: Batch) -> float:
        """As long as no answer has corrected the curve, or limits make that no difference."""
        limits = self._limits
        curve = seat.ready.get(batch.digest)
        if batch.isolated or curve is None:
            return limits.overdue_unknown_s
        predicted_s = limits.dispatch_overhead_s + curve.seconds(max(batch.rows, 1))
        return max(limits.overdue_min_s, limits.overdue_factor * predicted_s)
