"""The serving benchmark as bars: requests/s by model, concurrency and server."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from xml.sax.saxutils import escape

from benchmarks.servers import SERVERS
from benchmarks.servers import TITLES as SERVER_TITLES
from benchmarks.subjects import TITLES as MODEL_TITLES

# Told apart by shade too: Okabe and Ito's colours.
_COLOURS: Final = ("#0072b2", "#e69f00", "#009e73", "#cc79a7")
_PANEL_WIDTH: Final = 300
_PANEL_HEIGHT: Final = 240
_MARGIN: Final = 56
_TOP: Final = 72
_BAR: Final = 18
_GAP: Final = 26
_MIN_TICKS: Final = 4


def svg(summary: Mapping[str, Any]) -> str:
    """Return an SVG: a panel a model, a group of bars a concurrency, whiskers min..max."""
    models = list(summary["bare"])
    width = _MARGIN + len(models) * (_PANEL_WIDTH + _MARGIN)
    height = _TOP + _PANEL_HEIGHT + 52
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
        f' viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
        "<title>Requests a second by server</title>",
        f'<rect width="{width}" height="{height}" fill="white"/>',
        *_legend(),
    ]
    for index, model in enumerate(models):
        left = _MARGIN + index * (_PANEL_WIDTH + _MARGIN)
        parts.append(f'<g transform="translate({left},{_TOP})">')
        parts.extend(_panel(model, summary))
        parts.append("</g>")
    parts.append("</svg>")
    return "\n".join(parts) + "\n"


def _legend() -> Iterator[str]:
    for index, (name, colour) in enumerate(zip(SERVERS, _COLOURS, strict=True)):
        x = _MARGIN + index * 110
        yield f'<rect x="{x}" y="12" width="12" height="12" fill="{colour}"/>'
        yield f'<text x="{x + 18}" y="22">{escape(SERVER_TITLES[name])}</text>'
    x = _MARGIN + len(SERVERS) * 110
    yield f'<path d="M{x} 18h24" stroke="black" stroke-dasharray="5 3"/>'
    yield f'<text x="{x + 30}" y="22">bare ONNX Runtime loop, best batch</text>'


def _panel(model: str, summary: Mapping[str, Any]) -> Iterator[str]:
    servers = {name: got[model] for name, got in summary["servers"].items() if model in got}
    bare = summary["bare"][model]["per_s"]["median"]
    rates = [
        figures["per_s"]["max"] for by_load in servers.values() for figures in by_load.values()
    ]
    highest = max(rates, default=bare)
    # The tiny network's bare loop would leave nothing to see of the servers.
    shows_bare = bare <= 2 * highest
    scale = _PANEL_HEIGHT / (max(highest, bare if shows_bare else 0.0) * 1.05)
    yield f'<text y="-16" font-weight="bold">{escape(MODEL_TITLES[model])}, requests/s</text>'
    yield from _axis(_PANEL_HEIGHT / scale, scale)
    group_width = len(SERVERS) * _BAR + _GAP
    concurrencies = sorted({name for got in servers.values() for name in got}, key=int)
    for group, concurrency in enumerate(concurrencies):
        left = _GAP + group * group_width
        for bar, name in enumerate(SERVERS):
            if concurrency in servers.get(name, {}):
                rate = servers[name][concurrency]["per_s"]
                yield from _bar(left + bar * _BAR, rate, scale, _COLOURS[bar])
        middle = left + len(SERVERS) * _BAR / 2
        yield (
            f'<text x="{middle:g}" y="{_PANEL_HEIGHT + 18}" text-anchor="middle">'
            f"{escape(concurrency)} in flight</text>"
        )
    if shows_bare:
        y = _PANEL_HEIGHT - bare * scale
        yield f'<path d="M0 {y:.1f}h{_PANEL_WIDTH}" stroke="black" stroke-dasharray="5 3"/>'
    else:
        yield (
            f'<text x="{_PANEL_WIDTH}" y="-2" text-anchor="end" font-size="10">'
            f"bare loop: {bare:,.0f} rows/s</text>"
        )


def _axis(highest: float, scale: float) -> Iterator[str]:
    yield f'<path d="M0 0v{_PANEL_HEIGHT}h{_PANEL_WIDTH}" stroke="black" fill="none"/>'
    for value in _ticks(highest):
        y = _PANEL_HEIGHT - value * scale
        yield f'<path d="M0 {y:.1f}h{_PANEL_WIDTH}" stroke="#ddd" stroke-width="0.5"/>'
        yield f'<text x="-6" y="{y + 4:.1f}" text-anchor="end" font-size="10">{value:,.0f}</text>'


def _ticks(highest: float) -> Sequence[float]:
    """Return multiples of 1, 2 or 5 times a power of ten, at least `_MIN_TICKS` of them."""
    power = 10.0 ** math.floor(math.log10(highest))
    step = next(
        step for step in (power, power / 2, power / 5, power / 10) if highest / step >= _MIN_TICKS
    )
    return [step * index for index in range(int(highest / step) + 1)]


def _bar(x: float, rate: Mapping[str, float], scale: float, colour: str) -> Iterator[str]:
    tall = rate["median"] * scale
    low, high = (_PANEL_HEIGHT - rate[end] * scale for end in ("min", "max"))
    yield (
        f'<rect x="{x:g}" y="{_PANEL_HEIGHT - tall:.1f}" width="{_BAR - 2}" height="{tall:.1f}"'
        f' fill="{colour}"/>'
    )
    yield f'<path d="M{x + _BAR / 2 - 1:g} {low:.1f}V{high:.1f}" stroke="#333"/>'
