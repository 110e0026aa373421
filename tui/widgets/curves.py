"""Curves of models: how long batches take, by their rows."""

from collections.abc import Iterable
from typing import Final

from textual.content import Content

from farm.core.text import printable
from tui.glyphs import Glyphs
from tui.readings import quantities
from tui.readings.curves import CurveReading, SplitReading
from tui.widgets.aligned import aligned

# Cells of the longest bar.
_BAR: Final = 16
# Nodes that are named before the rest of them is counted.
_NAMED: Final = 6


def curve_lines(curve: CurveReading, symbols: Glyphs, now_unix_ns: int) -> Iterable[Content]:
    """Yield the lines of a curve: how far it is from the truth, then each split as a table."""
    dot = f" {symbols.separator} "
    about = [_named(curve.nodes), correction(curve)]
    if curve.measured_on:
        at = quantities.moment(curve.measured_unix_ns, now_unix_ns)
        about.append(f"measured at {at} on {printable(curve.measured_on)}")
    title = dot.join(filter(None, (printable(curve.title), *about)))
    if title:
        yield Content.assemble((f"  {title}", "$text-muted"))
    for split in curve.splits:
        yield from _split_lines(split, symbols)


def correction(curve: CurveReading) -> str:
    """Return in words how far batches really are from a curve, "" where that is not known."""
    if curve.corrections is None:
        return ""
    least, most = (f"{value:.2f}" for value in curve.corrections)
    return f"batches really take {least if least == most else f'{least} to {most}'} times as long"


def bar(share: float, cells: int, symbols: Glyphs) -> str:
    """Return a bar that fills a share, from 0 to 1, of so many cells."""
    parts = len(symbols.shades)
    whole, rest = divmod(round(min(max(share, 0.0), 1.0) * cells * parts), parts)
    return (symbols.shades[-1] * whole + (symbols.shades[rest - 1] if rest else "")).rstrip()


def _split_lines(split: SplitReading, symbols: Glyphs) -> Iterable[Content]:
    if split.slots:
        yield Content.assemble(
            f"    {split.slots} at once on {split.threads}"
            f" {'thread' if split.threads == 1 else 'threads'} each,"
            f" {quantities.rate(split.rows_per_s)} rows/s at best",
            (", chosen", "$text-success") if split.chosen else "",
        )
    if not split.points:
        return
    really = split.points[0].really_s is not None
    titles = ["rows", "a batch", *["really"] * really, "rows/s"]
    rows = [
        [
            str(point.rows),
            quantities.seconds(point.measured_s),
            *[quantities.seconds(point.really_s)] * really,
            quantities.rate(point.rows_per_s),
        ]
        for point in split.points
    ]
    heading, *lines = aligned([titles, *rows], right=range(len(titles)))
    yield Content.assemble((f"    {heading}", "$text-muted"))
    best = max(point.rows_per_s for point in split.points) or 1.0
    for point, line in zip(split.points, lines, strict=True):
        drawn = bar(point.rows_per_s / best, _BAR, symbols)
        yield Content.assemble(f"    {line}  ", (drawn, "$primary"))


def _named(nodes: tuple[str, ...]) -> str:
    named = ", ".join(map(printable, nodes[:_NAMED]))
    return f"{named} and {len(nodes) - _NAMED} more" if len(nodes) > _NAMED else named
