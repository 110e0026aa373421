"""The operator's screen."""

from collections import deque
from threading import Event
from time import monotonic
from typing import Any, Final

from textual.app import App
from textual.signal import Signal

from tui.options import TopOptions
from tui.screens.overview import Overview
from tui.sources.source import Operator, Source, Update
from tui.store import Store

# Updates that wait for the next frame; a source that tells more drops its oldest.
_MAX_WAITING: Final = 1_000


class FarmTop(App[None]):
    """Shows one farm. `operator` is None where nothing can be done: a recording, a simulation."""

    TITLE = "farm top"

    def __init__(
        self, source: Source, *, operator: Operator | None = None, options: TopOptions
    ) -> None:
        super().__init__()
        self.source = source
        self.operator = operator
        self.options = options
        self.store = Store()
        # Published at most once a frame, after the store took what came since the last one.
        self.updated: Signal[Store] = Signal(self, "updated")
        self._waiting: deque[Update] = deque(maxlen=_MAX_WAITING)
        self._stop = Event()

    def now(self) -> float:
        """Return the moment by the screen's clock, in seconds."""
        return monotonic()

    def get_default_screen(self) -> Overview:
        return Overview()

    def on_mount(self) -> None:
        self.run_worker(self._follow, thread=True, exit_on_error=False)
        self.set_interval(1 / self.options.frames_per_s, self._frame)

    def on_unmount(self) -> None:
        self._stop.set()

    def _follow(self) -> None:
        self.source.follow(self._waiting.append, self._stop)

    def _frame(self) -> None:
        now = self.now()
        while self._waiting:
            self.store.take(self._waiting.popleft(), now)
        self.updated.publish(self.store)

    def action_quit_now(self) -> Any:
        self.exit()
