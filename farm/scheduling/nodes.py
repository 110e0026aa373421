"""What the machine remembers of a node: its slots, its models and how it has behaved."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from farm.core.models import LatencyCurve, ModelKey
from farm.core.nodes import NodeProfile
from farm.core.requests import Batch
from farm.scheduling.limits import SchedulingLimits
from farm.scheduling.queue import Identity, Ticket


@dataclass(slots=True)
class Flight:
    """A batch at a node. `tickets[i]` is None once member i got its reply another way.

    `started_at` is when it got a slot, None while it waits at the node behind others.
    """

    batch: Batch
    node_id: str
    incarnation: str
    tickets: list[Ticket | None]
    dispatched_at: float
    predicted_s: float
    policy: str
    started_at: float | None = None

    @property
    def wanted(self) -> bool:
        """Whether anybody still waits for it."""
        return any(entry is not None for entry in self.tickets)


@dataclass(slots=True)
class Node:
    """A node the machine may use."""

    profile: NodeProfile
    ready: Mapping[str, LatencyCurve | None]
    cordoned: bool = False
    suspect: bool = False
    ejected_until: float | None = None
    failures_in_row: int = 0
    ejections: int = 0
    last_used: int = 0
    flights: dict[int, Flight] = field(default_factory=dict)

    @property
    def identity(self) -> Identity:
        """Node and incarnation: what a failed request avoids."""
        return self.profile.node_id, self.profile.incarnation

    @property
    def accepts(self) -> bool:
        """Whether new batches may go here at all."""
        return not self.cordoned and not self.suspect and self.ejected_until is None

    @property
    def has_free_slot(self) -> bool:
        return len(self.flights) < self.profile.slots

    def running(self, key: ModelKey) -> int:
        """Return how many batches of a model's version are here, the look-ahead included."""
        return sum(flight.batch.model == key for flight in self.flights.values())

    def promote(self, now: float) -> None:
        """Give the slots that are free to the batches that have waited at the node longest."""
        running = sum(flight.started_at is not None for flight in self.flights.values())
        for flight in self.flights.values():
            if running >= self.profile.slots:
                return
            if flight.started_at is None:
                flight.started_at = now
                running += 1

    def lookahead_at(self, now: float, horizon_s: float) -> float | None:
        """Return when one more batch may be queued behind the running ones.

        That is `horizon_s` before the first slot is predicted to be free, or `now` if
        that has passed; None where the look-ahead is used up.
        """
        if len(self.flights) >= self.profile.slots + self.profile.lookahead:
            return None
        first_free = min(
            flight.dispatched_at + flight.predicted_s for flight in self.flights.values()
        )
        return max(first_free - horizon_s, now)

    def backlog_s(self, now: float) -> float:
        """Return the predicted seconds until a slot is free."""
        if self.has_free_slot:
            return 0.0
        remaining = sorted(
            max(flight.dispatched_at + flight.predicted_s - now, 0.0)
            for flight in self.flights.values()
        )
        return remaining[len(remaining) - self.profile.slots]

    def punish(self, now: float, limits: SchedulingLimits, *, may_eject: bool) -> str:
        """Count a failure; eject the node if that is one too many. Return why, if it is.

        Each ejection lasts twice as long as the one before, until a success. `may_eject` is
        false where too much of the farm is out already.
        """
        self.failures_in_row += 1
        enough = self.failures_in_row >= limits.eject_after_failures
        if not enough or not may_eject or self.ejected_until is not None:
            return ""
        backoff_s = limits.eject_base_s * 2.0 ** min(self.ejections, 30)
        self.ejected_until = now + min(backoff_s, limits.eject_max_s)
        self.ejections += 1
        return f"{self.failures_in_row} batches in a row failed"

    def readmit(self, now: float) -> None:
        """End an ejection whose time is over."""
        if self.ejected_until is not None and self.ejected_until <= now:
            self.ejected_until = None
            self.failures_in_row = 0

    def praise(self) -> None:
        """Count a success; one that was under way when the node was ejected changes nothing."""
        if self.ejected_until is None:
            self.failures_in_row = 0
            self.ejections = 0
