"""Plays a scenario of the simulator as if it were a farm."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from time import monotonic
from typing import TYPE_CHECKING, Final

from farm.core.changes import changes
from farm.core.errors import FarmError
from farm.core.events import FarmEvent
from farm.core.snapshots import FarmSnapshot
from tui.readings.rates import WINDOW_S
from tui.sources.playback import News, Playback, Steered
from tui.sources.source import (
    EventsCame,
    Jumped,
    LinkChanged,
    LinkState,
    Playhead,
    SnapshotCame,
    Update,
)

if TYPE_CHECKING:
    from farm.sim.scenario import Scenario
    from farm.sim.setup import Setup

# How soon what was steered is seen, and for how long is simulated until the next look.
_LOOK_S: Final = 0.1
_SECOND_NS: Final = 1_000_000_000


class Simulator(Steered):
    """A scenario as a source whose time can be steered.

    Wound back it is simulated again from its beginning: the same scenario is always the same.
    It runs at its speed, or as fast as this machine can.
    """

    def __init__(self, path: Path, *, speed: float = 1.0) -> None:
        """Read a scenario.

        Raises:
            ConfigurationError: the file cannot be read, or says what cannot be.
        """
        # Only those who simulate need it.
        from farm.sim.from_scenario import read_scenario, setup_of

        super().__init__()
        self._path = path
        self._scenario = read_scenario(path)
        self._setup = setup_of(self._scenario, file=path)
        self._speed = speed

    @property
    def title(self) -> str:
        return f"simulation {self._path.name}"

    def follow(self, tell: Callable[[Update], None], stop: Event) -> None:
        """Simulate until `stop` is set."""
        try:
            self._play(tell, stop)
        except FarmError as error:
            tell(LinkChanged(state=LinkState.DOWN, detail=error.message))
        except Exception as error:
            detail = f"the simulation failed, which is a defect to be reported: {error!r}"
            tell(LinkChanged(state=LinkState.DOWN, detail=detail))

    def _play(self, tell: Callable[[Update], None], stop: Event) -> None:
        began_ns = time.time_ns()
        playback = Playback(began_ns, None, speed=self._speed, now=monotonic())
        self._playback = playback
        run = _Run(self._setup, self._scenario, began_ns)
        news = News(tell)
        goal_ns, slow_at = 0, 0.0
        while not stop.is_set():
            playhead, jumped = playback.look(monotonic())
            if jumped:
                goal_ns = playhead.at_unix_ns
                tell(Jumped())
                if goal_ns < run.at_unix_ns:
                    run = _Run(self._setup, self._scenario, began_ns)
            for update in run.until(max(playhead.at_unix_ns, goal_ns), all_from_ns=goal_ns):
                tell(update)
            if run.ended:
                playback.end(run.at_unix_ns)
            elif run.at_unix_ns + _SECOND_NS <= max(playhead.at_unix_ns, goal_ns):
                playback.hold(run.at_unix_ns, monotonic())
                slow_at = 0.0 if goal_ns else playhead.speed
            if goal_ns and (run.ended or run.at_unix_ns + _SECOND_NS > goal_ns):
                playback.hold(goal_ns, monotonic())
                goal_ns = 0
            news.tell(playhead)
            news.tell(_link(playhead, slow=slow_at == playhead.speed))
            stop.wait(_LOOK_S)


def _link(playhead: Playhead, *, slow: bool) -> LinkChanged:
    if playhead.at_unix_ns == playhead.ends_unix_ns:
        return LinkChanged(state=LinkState.ENDED, detail="the simulation ends here")
    detail = "this machine simulates no faster than this" if slow else ""
    return LinkChanged(state=LinkState.UP, detail=detail)


class _Run:
    """One simulation from its beginning, looked at every virtual second."""

    def __init__(self, setup: "Setup", scenario: "Scenario", began_unix_ns: int) -> None:
        from farm.sim.live import LiveFarm

        name = scenario.name or "simulated"
        self._farm = LiveFarm(setup, scenario.policy, name=name, began_unix_ns=began_unix_ns)
        self._before: FarmSnapshot | None = None
        self._number = 0
        self.at_unix_ns = began_unix_ns
        self.ended = False

    def until(self, unix_ns: int, *, all_from_ns: int) -> Iterator[Update]:
        """Simulate up to a moment, or for as long as one look; yield events and snapshots.

        Of the snapshots the last one is told; where it was wound to a moment, all that the rates
        of that are made of.
        """
        ends = monotonic() + _LOOK_S
        events: list[FarmEvent] = []
        latest: FarmSnapshot | None = None
        while not self.ended and self.at_unix_ns + _SECOND_NS <= unix_ns and monotonic() < ends:
            self.ended = not self._farm.advance(self._farm.now + 1.0)
            latest = self._farm.snapshot()
            self.at_unix_ns = latest.taken_unix_ns
            events += self._events(latest)
            if 0 <= all_from_ns - self.at_unix_ns <= WINDOW_S * 1e9:
                yield SnapshotCame(snapshot=latest)
                latest = None
        if latest is not None:
            yield SnapshotCame(snapshot=latest)
        if events:
            yield EventsCame(events=events)

    def _events(self, snapshot: FarmSnapshot) -> Iterator[FarmEvent]:
        for happening in changes(self._before, snapshot):
            self._number += 1
            yield FarmEvent(
                number=self._number,
                unix_ns=snapshot.taken_unix_ns,
                kind=happening.kind,
                severity=happening.severity,
                subject=happening.subject,
                detail=happening.detail,
            )
        self._before = snapshot
