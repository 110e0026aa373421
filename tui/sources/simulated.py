"""A simulated farm as what it tells, second by second, wound on and back."""

from collections import deque
from collections.abc import Iterator
from time import monotonic
from typing import TYPE_CHECKING, Final

from farm.core.changes import changes
from farm.core.events import FarmEvent
from farm.core.snapshots import FarmSnapshot
from tui.readings.rates import WINDOW_S
from tui.sources.source import EventsCame, Jumped, SnapshotCame, Update
from tui.store import MAX_EVENTS

if TYPE_CHECKING:
    from farm.sim.scenario import Scenario
    from farm.sim.setup import Setup

SECOND_NS: Final = 1_000_000_000


class SimulatedFarm:
    """One simulation, looked at every virtual second.

    Wound back it is simulated again from its beginning: the same scenario is always the same.
    """

    def __init__(self, setup: "Setup", scenario: "Scenario", began_unix_ns: int) -> None:
        self._setup = setup
        self._scenario = scenario
        self._began_unix_ns = began_unix_ns
        self._begin()

    def _begin(self) -> None:
        from farm.sim.live import LiveFarm

        self._farm = LiveFarm(
            self._setup,
            self._scenario.policy,
            name=self._scenario.name or "simulated",
            began_unix_ns=self._began_unix_ns,
        )
        self.at_unix_ns = self._began_unix_ns
        self.ended = False
        self._number = 0
        # As much as leads up to a moment: all events, and what its rates are made of.
        self._events: deque[FarmEvent] = deque(maxlen=MAX_EVENTS)
        self._lately: deque[FarmSnapshot] = deque(maxlen=round(WINDOW_S) + 1)

    def reaches(self, unix_ns: int) -> bool:
        """Whether it has got to a moment, or will not get there."""
        return self.ended or self.at_unix_ns + SECOND_NS > unix_ns

    def until(self, unix_ns: int, within_s: float) -> Iterator[Update]:
        """Simulate up to a moment for so many seconds; yield all events, the last snapshot."""
        told = self._number
        if self._advance(unix_ns, within_s):
            yield SnapshotCame(snapshot=self._lately[-1])
        if happened := self._number - told:
            events = list(self._events)[-happened:]
            yield EventsCame(events=events, missed=happened - len(events))

    def wind(self, unix_ns: int, within_s: float) -> Iterator[Update]:
        """Simulate towards a moment, wherever it is; once there, yield all that leads there."""
        if unix_ns < self.at_unix_ns:
            self._begin()
        self._advance(unix_ns, within_s)
        if self.reaches(unix_ns):
            yield Jumped()
            yield EventsCame(events=tuple(self._events))
            for snapshot in self._lately:
                yield SnapshotCame(snapshot=snapshot)

    def _advance(self, unix_ns: int, within_s: float) -> bool:
        """Return whether it has got on."""
        began_ns, ends = self.at_unix_ns, monotonic() + within_s
        while not self.reaches(unix_ns) and monotonic() < ends:
            self.ended = not self._farm.advance(self._farm.now + 1.0)
            snapshot = self._farm.snapshot()
            self._events.extend(self._happened(snapshot))
            self._lately.append(snapshot)
            self.at_unix_ns = snapshot.taken_unix_ns
        return self.at_unix_ns > began_ns

    def _happened(self, snapshot: FarmSnapshot) -> Iterator[FarmEvent]:
        for happening in changes(self._lately[-1] if self._lately else None, snapshot):
            self._number += 1
            yield FarmEvent(
                number=self._number,
                unix_ns=snapshot.taken_unix_ns,
                kind=happening.kind,
                severity=happening.severity,
                subject=happening.subject,
                detail=happening.detail,
            )
