"""Plays a scenario of the simulator as if it were a farm."""

import time
from collections.abc import Callable
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Final

from farm.core.errors import FarmError
from tui.sources.playback import News, Playback, Steered
from tui.sources.simulated import SimulatedFarm
from tui.sources.source import LinkChanged, LinkState, Playhead, Update

# How soon what was steered is seen, and for how long is simulated until the next look.
_LOOK_S: Final = 0.1


class Simulator(Steered):
    """A scenario as a source whose time can be steered.

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
        farm = SimulatedFarm(self._setup, self._scenario, began_ns)
        news = News(tell)
        # Where it is being wound to, and the speed that this machine did not keep up with.
        goal_ns: int | None = None
        slow_at = 0.0
        while not stop.is_set():
            playhead, jumped = playback.look(monotonic())
            if jumped:
                goal_ns = playhead.at_unix_ns
            if goal_ns is not None:
                updates = farm.wind(goal_ns, _LOOK_S)
            else:
                updates = farm.until(playhead.at_unix_ns, _LOOK_S)
            for update in updates:
                tell(update)
            if farm.ended:
                playback.end(farm.at_unix_ns)
            if goal_ns is not None:
                playback.hold(goal_ns, monotonic())
                goal_ns = None if farm.reaches(goal_ns) else goal_ns
            elif not farm.reaches(playhead.at_unix_ns):
                playback.hold(farm.at_unix_ns, monotonic())
                slow_at = playhead.speed
            news.tell(playhead)
            slow = slow_at == playhead.speed
            news.tell(_link(playhead, winding=goal_ns is not None, slow=slow))
            stop.wait(_LOOK_S)


def _link(playhead: Playhead, *, winding: bool, slow: bool) -> LinkChanged:
    if winding:
        return LinkChanged(state=LinkState.CONNECTING, detail="simulating what leads there")
    if playhead.at_unix_ns == playhead.ends_unix_ns:
        return LinkChanged(state=LinkState.ENDED, detail="the simulation ends here")
    detail = "this machine simulates no faster than this" if slow else ""
    return LinkChanged(state=LinkState.UP, detail=detail)
