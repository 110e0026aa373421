"""An app that goes on when something fails that should not."""

from collections.abc import Mapping

from textual.actions import ActionParseResult
from textual.app import App
from textual.dom import DOMNode
from textual.worker import Worker

from tui.defects import Defects


class ForgivingApp(App[None]):
    """Says which of its defects was met, and keeps them until its end."""

    def __init__(self) -> None:
        super().__init__()
        self.defects = Defects()

    async def run_action(
        self,
        action: "str | ActionParseResult",
        default_namespace: DOMNode | None = None,
        namespaces: Mapping[str, DOMNode] | None = None,
    ) -> bool:
        """Do what a key is for; where that fails, the screen goes on and says so."""
        try:
            return await super().run_action(action, default_namespace, namespaces)
        except Exception as error:
            self.tell_defect(error)
            return True

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        if isinstance(event.worker.error, Exception):
            self.tell_defect(event.worker.error)

    def tell_defect(self, error: Exception) -> None:
        """Say that something failed that should not, and keep what mends it."""
        self.notify(f"that failed: {self.defects.note(error)}", severity="error", markup=False)
