"""What every screen has in common: it shows the store, and again when that has changed."""

from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual.binding import BindingType
from textual.screen import Screen

from tui.keys import bound
from tui.store import Store
from tui.widgets.status_bar import StatusBar

if TYPE_CHECKING:
    from tui.app import FarmTop


class FarmScreen(Screen[None]):
    """A screen that is told when to show the store anew: only while it can be seen.

    Its last line says whether that is true now. What is stale has the class "stale".
    """

    BINDINGS: ClassVar[list[BindingType]] = [bound("back")]

    @property
    def top(self) -> "FarmTop":
        """The app, with what screens ask of it."""
        return cast("FarmTop", self.app)

    def on_mount(self) -> None:
        self.mount(StatusBar())
        self.top.updated.subscribe(self, self._updated)

    def on_screen_resume(self) -> None:
        self._show()

    def on_resize(self) -> None:
        self._show()

    def action_back(self) -> None:
        if len(self.app.screen_stack) > 1:
            self.app.pop_screen()

    def _updated(self, _: Any) -> None:
        if self.is_current:
            self._show()

    def _show(self) -> None:
        store, now = self.top.store, self.top.now()
        self.set_class(store.stale(now), "stale")
        self.query_one(StatusBar).show(store, now)
        self.show(store, now)

    def show(self, store: Store, now: float) -> None:
        """Show what is known at a moment; called at most `frames_per_s` times a second."""
        raise NotImplementedError
