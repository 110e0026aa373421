"""What every screen has in common: it shows the store, and again when that has changed."""

from typing import TYPE_CHECKING, Any, cast

from textual.screen import Screen

from tui.store import Store

if TYPE_CHECKING:
    from tui.app import FarmTop


class FarmScreen(Screen[None]):
    """A screen that is told when to show the store anew: only while it is the one on top."""

    @property
    def top(self) -> "FarmTop":
        """The app, with what screens ask of it."""
        return cast("FarmTop", self.app)

    def on_mount(self) -> None:
        self.top.updated.subscribe(self, self._updated)

    def on_screen_resume(self) -> None:
        self.show(self.top.store, self.top.now())

    def _updated(self, _: Any) -> None:
        if self.is_current:
            self.show(self.top.store, self.top.now())

    def show(self, store: Store, now: float) -> None:
        """Show what is known at a moment; called at most `frames_per_s` times a second."""
        raise NotImplementedError
