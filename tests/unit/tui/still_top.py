"""The app over a source that tells what a test says, at a time that stands still."""

from collections.abc import Callable
from threading import Event
from typing import Any

from farm_readings import BEGINS
from screen_text import screen_text
from textual.pilot import Pilot

from tui.app import FarmTop
from tui.defects import Defects
from tui.options import TopOptions
from tui.sources.source import Operator, Update

DEFAULTS = TopOptions()


class QuietSource:
    """Tells nothing by itself."""

    title = "gateway pi-head:8001"

    def follow(self, tell: Callable[[Update], None], stop: Event) -> None:
        stop.wait()


class NoDefects(Defects):
    """What no test may overlook."""

    def note(self, error: Exception) -> str:
        raise error


class StillTop(FarmTop):
    """`at_s` is the screen's clock, `at_unix_ns` the operator's."""

    def __init__(
        self,
        *updates: Update,
        source: Any = None,
        operator: Operator | None = None,
        options: TopOptions = DEFAULTS,
    ) -> None:
        super().__init__(source or QuietSource(), operator=operator, options=options)
        self.defects = NoDefects()
        self.at_s = 1_000.0
        self.at_unix_ns = BEGINS
        for update in updates:
            self.store.take(update, self.at_s)

    def now(self) -> float:
        return self.at_s

    def unix_ns(self) -> int:
        return self.at_unix_ns


async def until(pilot: Pilot[None], condition: Callable[[], object]) -> None:
    """Wait until something holds, ten seconds at most."""
    for _ in range(500):
        if condition():
            return
        await pilot.pause(0.02)
    raise AssertionError(screen_text(pilot.app))


async def tell(pilot: Pilot[None], *updates: Update) -> None:
    """Let a frame take updates, and paint it."""
    top = pilot.app
    assert isinstance(top, StillTop)
    for update in updates:
        top._hear(update)
    top._frame()
    await pilot.pause()


async def at(pilot: Pilot[None], at_s: float) -> None:
    """Let the screen's clock be at a moment."""
    top = pilot.app
    assert isinstance(top, StillTop)
    top.at_s = at_s
    await tell(pilot)
