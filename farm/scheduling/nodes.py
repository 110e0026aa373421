"""What the machine remembers of a node: its threads, its models and how it has behaved."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf, log2

from farm.core.ledger import WasteKind
from farm.core.models import LatencyCurve, ModelKey
from farm.core.nodes import NodeProfile
from farm.core.requests import Batch
from farm.scheduling.limits import SchedulingLimits
from farm.scheduling.pace import Pace
from farm.scheduling.standing import Standing
from farm.scheduling.tickets import Identity, Ticket

# What makes nodes alike: board, CPU, capacity, the pace in steps of about a fifth, and the
# round trip in steps of four times.
NodeClass = tuple[str, str, int, int, int]


@dataclass(slots=True)
class Flight:
    """A batch at a node. `tickets[i]` is None once member i got its reply another way.

    `waste` has the rows of those that it will not answer, by why.

    It takes `threads` of the node's threads. `started_at` is when it got them, None while it
    waits at the node behind others; `ends_at` is when it is predicted to be done, and
    `overdue_after_s` how long it may take from its start before the node is suspected.
    `twin` is the batch that runs its members a second time, or the first.
    """

    batch: Batch
    node_id: str
    incarnation: str
    tickets: list[Ticket | None]
    dispatched_at: float
    predicted_s: float
    policy: str
    threads: int = 1
    ends_at: float = 0.0
    started_at: float | None = None
    overdue_after_s: float = inf
    twin: int | None = None
    waste: dict[WasteKind, int] = field(default_factory=dict)

    @property
    def wanted(self) -> bool:
        """Whether anybody still waits for it."""
        return any(entry is not None for entry in self.tickets)

    def forfeit(self, entry: Ticket, kind: WasteKind) -> None:
        """Note that its work for a member is for nobody."""
        self.waste[kind] = self.waste.get(kind, 0) + entry.request.rows


@dataclass(slots=True)
class Node:
    """A node the machine may use.

    `ready` has the pace of every digest it may run. `claimed` counts the threads of all its
    flights, those included that wait for them. `last_used` is its latest batch, `overhead_s`
    and `slowdown` are what its latest batches took beside compute, and against their curve.
    The next batch must be of the digest that it is `reserved_for`, where there is one.
    """

    profile: NodeProfile
    ready: dict[str, Pace] = field(default_factory=dict)
    joules_per_row: Mapping[str, float] = field(default_factory=dict)
    speed: float = 1.0
    standing: Standing = field(default_factory=Standing)
    last_used: int = 0
    claimed: int = 0
    overhead_s: float = 0.0
    slowdown: float = 1.0
    kind: NodeClass = ("", "", 0, 0, 0)
    reserved_for: str | None = None
    flights: dict[int, Flight] = field(default_factory=dict)
    # Sorted when they are asked for after a change.
    _ends: list[float] | None = None

    @property
    def node_id(self) -> str:
        return self.profile.node_id

    @property
    def identity(self) -> Identity:
        """Node and incarnation: what a failed request avoids."""
        return self.profile.node_id, self.profile.incarnation

    @property
    def accepts(self) -> bool:
        """Whether new batches may go here at all."""
        return self.standing.accepts

    def prepare(
        self, ready: Mapping[str, LatencyCurve | None], *, limits: SchedulingLimits
    ) -> None:
        """Take the digests it may run from now on, with their measured curves."""
        self._classify()
        known, self.ready = self.ready, {}
        for digest, curve in ready.items():
            pace = known.get(digest)
            if pace is None or pace.seed != curve:
                fresh = self._pace(curve, limits)
                if pace is not None:
                    fresh.inherit(pace)
                pace = fresh
            self.ready[digest] = pace

    def _pace(self, curve: LatencyCurve | None, limits: SchedulingLimits) -> Pace:
        profile = self.profile
        wanted = (curve.threads if curve is not None else 0) or profile.threads_per_slot
        return Pace(
            curve,
            threads=min(wanted, profile.capacity),
            overhead_s=limits.dispatch_overhead_s,
            speed=self.speed,
        )

    def scale(self, speed: float) -> bool:
        """Take its clock as a share of the highest; return whether that is news."""
        self.speed = speed
        self._classify()
        news = [pace.scale(speed) for pace in self.ready.values()]
        return any(news)

    # -- flights ----------------------------------------------------------------------

    def _classify(self) -> None:
        profile = self.profile
        pace = round(4 * log2(max(self.slowdown, 1e-3) / self.speed))
        distance = round(log2(max(self.overhead_s, 1e-3) / 1e-3) / 2)
        self.kind = (profile.board, profile.cpu_class, profile.capacity, pace, distance)

    def has_room(self, threads: int) -> bool:
        """Whether a batch on so many threads could start at once."""
        return self.claimed + threads <= self.profile.capacity

    @property
    def is_full(self) -> bool:
        """Whether no batch at all could start at once."""
        return self.claimed >= self.profile.capacity

    def running(self, key: ModelKey) -> int:
        """Return how many batches of a model's version are here, the look-ahead included."""
        return sum(flight.batch.model == key for flight in self.flights.values())

    def board(self, flight: Flight, now: float) -> None:
        """Take a batch in."""
        self.flights[flight.batch.id] = flight
        self.claimed += flight.threads
        self._ends = None
        self.last_used = flight.batch.id
        self.reserved_for = None
        self._promote(now)

    def release(self, flight: Flight, now: float) -> None:
        """Let a batch go, and start the one that waited longest."""
        if self.flights.pop(flight.batch.id, None) is not None:
            self.claimed -= flight.threads
            self._ends = None
            self._promote(now)

    def _promote(self, now: float) -> None:
        """Give the threads that are free to the batches that have waited here longest."""
        if self.claimed <= self.profile.capacity:
            waiting = [f for f in self.flights.values() if f.started_at is None]
        else:
            free = self.profile.capacity - sum(
                f.threads for f in self.flights.values() if f.started_at is not None
            )
            waiting = []
            for flight in self.flights.values():
                if flight.started_at is None:
                    if flight.threads > free:
                        break
                    free -= flight.threads
                    waiting.append(flight)
        for flight in waiting:
            flight.started_at = now
            flight.ends_at = now + flight.predicted_s

    @property
    def ends(self) -> list[float]:
        """When the batches that run are predicted to be done, the first one first."""
        if self._ends is None:
            self._ends = sorted(
                f.ends_at for f in self.flights.values() if f.started_at is not None
            )
        return self._ends

    @property
    def has_lookahead(self) -> bool:
        """Whether one more batch may be sent to wait behind the running ones.

        Each slot has a look-ahead of its own, for each has a round trip of its own to hide.
        """
        running = len(self.ends)
        return len(self.flights) - running < running * self.profile.lookahead

    def opens_at(self, horizon_s: float) -> float:
        """Return when this node, full now, is predicted to take one more batch.

        That is when threads end that no batch waits for yet: `horizon_s` before, where it
        has a look-ahead.
        """
        ends = self.ends
        if not self.has_lookahead:
            return ends[0] if ends else inf
        return self._next_of(ends) - horizon_s

    def is_late(self, now: float) -> bool:
        """Whether a batch should have ended here by now."""
        ends = self.ends
        return bool(ends) and ends[0] < now

    def backlog_s(self, now: float, threads: int) -> float:
        """Return the predicted seconds until a batch on so many threads could start.

        A batch that is late is as late again.
        """
        if self.has_room(threads) or not self.ends:
            return 0.0
        if self.ends[0] >= now:
            return self._next_of(self.ends) - now
        return self._next_of(sorted(abs(end - now) for end in self.ends))

    def _next_of(self, ends: list[float]) -> float:
        """Return the first of the ends of running batches that no batch waits for yet."""
        return ends[min(len(self.flights) - len(ends), len(ends) - 1)]

    def observe(self, flight: Flight, *, compute_s: float, now: float) -> bool:
        """Learn from a batch that was answered; return whether that changed its pace much."""
        pace = self.ready.get(flight.batch.digest)
        if pace is None:
            return False
        waited = flight.started_at != flight.dispatched_at
        overhead_s = None if waited else now - flight.dispatched_at - compute_s
        changed = pace.observe(rows=flight.batch.rows, compute_s=compute_s, overhead_s=overhead_s)
        if (pace.overhead_s, pace.correction) != (self.overhead_s, self.slowdown):
            self.overhead_s, self.slowdown = pace.overhead_s, pace.correction
            self._classify()
        return changed
