"""What every screen has in common: it shows the store, and again when that has changed."""

from asyncio import to_thread
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, cast

from textual.binding import BindingType
from textual.screen import Screen
from textual.worker import Worker

from farm.core.errors import ConfigurationError
from tui.export import Exported, ExportFormat, picture, written
from tui.keys import bound
from tui.screens.export_choice import ExportChoice
from tui.store import Store
from tui.top import Top
from tui.widgets.status_bar import StatusBar


class FarmScreen(Screen[None]):
    """A screen that is told when to show the store anew: only while it can be seen.

    Its last line says whether that is true now. What is stale has the class "stale".
    """

    BINDINGS: ClassVar[list[BindingType]] = [bound("back"), bound("export")]

    @property
    def top(self) -> Top:
        """The app, with what screens ask of it."""
        return cast(Top, self.app)

    def on_mount(self) -> None:
        self.mount(StatusBar())
        self.top.updated.subscribe(self, self._updated)

    def on_screen_resume(self) -> None:
        self._show()

    def on_resize(self) -> None:
        self._show()

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Say what became of work beside the screen that nobody waits for."""
        if isinstance(event.worker.error, Exception):
            self.top.tell_defect(event.worker.error)

    def action_back(self) -> None:
        if len(self.app.screen_stack) > 1:
            self.app.pop_screen()

    def exported(self) -> Exported | None:
        """Return what is shown, for programs; None where there is nothing yet."""
        return None

    def action_export(self) -> None:
        self.app.push_screen(ExportChoice(), self._export)

    def _export(self, form: ExportFormat | None) -> None:
        if form is ExportFormat.SVG:
            # The question is to be gone from the picture.
            self.call_after_refresh(self._save_picture)
        elif form is not None and (found := self.exported()) is None:
            self.notify("there is nothing to export yet", severity="warning")
        elif form is not None and found is not None:
            self._save(found.kind, form, lambda: found.text(form))

    def _save_picture(self) -> None:
        svg = picture(self.app.export_screenshot(title=self.top.source.title))
        self._save("screen", ExportFormat.SVG, lambda: svg)

    def _save(self, kind: str, form: ExportFormat, content: Callable[[], str]) -> None:
        """Write a file on a thread, and tell what came of it."""

        async def save() -> None:
            moment = datetime.now().astimezone()
            try:
                path = await to_thread(lambda: written(Path(), kind, form, content(), moment))
            except ConfigurationError as error:
                self.notify(error.message, severity="error", markup=False)
            else:
                self.notify(f"exported to {path.name}", markup=False)

        self.run_worker(save(), exit_on_error=False)

    def _updated(self, _: Any) -> None:
        if self.is_current:
            self._show()

    def _show(self) -> None:
        # It may be long since the last frame.
        self.top.catch_up()
        store, now = self.top.store, self.top.now()
        try:
            self.show(store, now)
            defect = self.top.defects.unread
        except Exception as error:
            defect = f"this screen stays as it was: {self.top.defects.note(error)}"
        self.set_class(store.stale(now) or bool(defect), "stale")
        self.query_one(StatusBar).show(store, now, defect)

    def show(self, store: Store, now: float) -> None:
        """Show what is known at a moment; called at most `frames_per_s` times a second."""
        raise NotImplementedError
