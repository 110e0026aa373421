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

# How far back plots go, in seconds: from what the screen itself has seen to all that a gateway
# remembers.
SPANS_S: Final = (120, 900, 3_600, 21_600)
# Unless the operator says otherwise, as far as something is known, but no further than this.
_USUAL: Final = SPANS_S[:2]
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
    """Five plots over the same time: `span_s` of `SPANS_S` or, if it is none, as it is worth it."""

    DEFAULT_CSS = """
    NodePlots {
        & > Grid { grid-size: 2; grid-gutter: 0 2; grid-rows: 1fr; height: 1fr; min-height: 15; }
        &.single > Grid { grid-size: 1; min-height: 25; }
    }
    """

    def __init__(self, *, ascii_only: bool, span_s: int) -> None:
        super().__init__()
        self._plots = [Plot(quantity, ascii_only=ascii_only) for quantity in _QUANTITIES]
        self._span_s = span_s if span_s in SPANS_S else 0
        self._history: NodeHistory | None = None

    def compose(self) -> ComposeResult:
        yield Grid(*self._plots)

    def on_resize(self, event: events.Resize) -> None:
        narrow, high = event.size.width < _NARROW, event.size.height >= _HIGH
        self.set_class(narrow or high, "single")

    def next_span(self) -> int:
        """Go back in time as far as the next of `SPANS_S`; return it, 0 before anything came."""
        if self._history is not None:
            at = SPANS_S.index(self._shown_s(self._history)) + 1
            self._span_s = SPANS_S[at % len(SPANS_S)]
            self.show(self._history)
        return self._span_s

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
            plot.draw(Series(unix_ns=history.unix_ns, values=of_it), self._shown_s(history))

    def _shown_s(self, history: NodeHistory) -> int:
        """Return how far back to go: as was asked for, or as it is worth it."""
        if self._span_s:
            return self._span_s
        moments = history.unix_ns
        known_s = (moments[-1] - moments[0]) / 1e9 if moments else 0.0
        return next((span_s for span_s in _USUAL if span_s >= known_s), _USUAL[-1])
