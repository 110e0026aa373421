"""How a node fared: load, temperature, watts, requests and latency over time."""

from collections.abc import Sequence
from functools import partial
from typing import Final

from textual import events
from textual.app import ComposeResult
from textual.containers import Grid, VerticalScroll

from tui.readings import quantities, scales
from tui.readings.node_history import NodeHistory
from tui.readings.scales import Scale
from tui.widgets.plot import Plot, Quantity, Series

# How far back plots go, in seconds; as far as a gateway remembers.
SPANS_S: Final = (900.0, 21_600.0, 3_600.0, 120.0)
# Below this many cells two plots side by side are too narrow, above this many lines too high.
_NARROW: Final = 56
_HIGH: Final = 40


def _share(_: Sequence[float]) -> Scale:
    return Scale(low=0.0, high=1.0)


_QUANTITIES: Final = (
    Quantity(title="load", tell=quantities.fraction, scale=_share),
    Quantity(
        title="temperature", tell=quantities.celsius, scale=partial(scales.around, least=20.0)
    ),
    Quantity(title="power", tell=quantities.bare_watts, scale=scales.from_zero),
    Quantity(title="requests/s", tell=quantities.rate, scale=scales.from_zero),
    Quantity(title="batch latency", tell=quantities.seconds, scale=scales.from_zero),
)


class NodePlots(VerticalScroll):
    """Five plots over the same time."""

    DEFAULT_CSS = """
    NodePlots {
        & > Grid { grid-size: 2; grid-gutter: 0 2; grid-rows: 1fr; height: 1fr; min-height: 15; }
        &.single > Grid { grid-size: 1; min-height: 25; }
    }
    """

    def __init__(self, *, ascii_only: bool) -> None:
        super().__init__()
        self._plots = [Plot(quantity, ascii_only=ascii_only) for quantity in _QUANTITIES]
        self._span = 0
        self._history: NodeHistory | None = None

    def compose(self) -> ComposeResult:
        yield Grid(*self._plots)

    def on_resize(self, event: events.Resize) -> None:
        narrow, high = event.size.width < _NARROW, event.size.height >= _HIGH
        self.set_class(narrow or high, "single")

    def next_span(self) -> None:
        """Go back in time as far as the next of `SPANS_S`."""
        self._span = (self._span + 1) % len(SPANS_S)
        if self._history is not None:
            self.show(self._history)

    def show(self, history: NodeHistory) -> None:
        """Draw all plots."""
        self._history = history
        values = (
            history.cpu_fraction,
            history.temperature_c,
            history.watts,
            history.requests_per_s,
            history.latency_s,
        )
        for plot, of_it in zip(self._plots, values, strict=True):
            plot.draw(Series(unix_ns=history.unix_ns, values=of_it), SPANS_S[self._span])
