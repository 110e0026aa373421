"""The whole farm at a glance."""

from textual.app import ComposeResult
from textual.widgets import Static

from tui.screens.farm_screen import FarmScreen
from tui.store import Store


class Overview(FarmScreen):
    """Head line, node table, alerts."""

    def compose(self) -> ComposeResult:
        yield Static(id="head")

    def show(self, store: Store, now: float) -> None:
        reading = store.reading
        head = self.query_one("#head", Static)
        if reading is None:
            head.update(f"{store.link.state} {store.link.detail}")
            return
        head.update(
            f"{reading.snapshot.farm_name} {reading.rates.requests_per_s:.0f} requests/s"
            f" {reading.nodes_up}/{len(reading.nodes)} nodes"
        )
