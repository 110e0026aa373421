"""What a node runs now, and what failed there."""

from collections.abc import Iterable, Sequence
from typing import Final

from textual.content import Content

from farm.core.node_details import BatchInFlight, NodeDetails, NodeFailure
from farm.core.snapshots import NodeSnapshot
from farm.core.text import printable
from tui.glyphs import Glyphs
from tui.readings import quantities
from tui.widgets.aligned import aligned

# A node has as many slots as cores at most; what tells of more is not to fill the screen.
_MAX_MARKS: Final = 64


def slot_line(node: NodeSnapshot, symbols: Glyphs) -> Content:
    """Return a node's slots, a mark each, and what this gateway has given it."""
    profile, vitals = node.profile, node.vitals
    if profile is None or vitals is None:
        return Content("slots: waiting for the first sample")
    slots = min(profile.slots, _MAX_MARKS)
    busy = min(vitals.slots_busy, slots)
    given = f"{symbols.separator} {node.inflight_batches} in flight from this gateway"
    return Content.assemble(
        "slots ",
        (symbols.shades[-1] * busy, "$primary"),
        (symbols.bar_rest * (slots - busy), "$text-muted"),
        f" {vitals.slots_busy} of {profile.slots} busy {given}",
    )


def batch_lines(details: NodeDetails, now_unix_ns: int) -> Iterable[Content]:
    """Yield the lines of the batches in flight and of the last failures."""
    yield Content.assemble(("Batches in flight from this gateway", "bold"))
    yield from _batches(details.batches)
    yield Content("")
    yield Content.assemble(("Last failures", "bold"))
    yield from _failures(details.failures, now_unix_ns)


def _batches(batches: Sequence[BatchInFlight]) -> Iterable[Content]:
    if not batches:
        yield Content.assemble(("none", "$text-muted"))
        return
    heading, *lines = aligned(
        [
            ("batch", "age", "rows", "requests", "model", ""),
            *(
                (
                    str(batch.batch_id),
                    quantities.seconds(batch.age_s),
                    str(batch.rows),
                    str(batch.requests),
                    printable(str(batch.model)),
                    "runs" if batch.running else "waits there",
                )
                for batch in batches
            ),
        ],
        right=range(4),
    )
    yield Content.assemble((heading, "$text-muted"))
    yield from map(Content, lines)


def _failures(failures: Sequence[NodeFailure], now_unix_ns: int) -> Iterable[Content]:
    if not failures:
        yield Content.assemble(("none since this gateway began", "$text-muted"))
        return
    heading, *lines = aligned(
        [
            ("at", "batch", "model", "error", ""),
            *(
                (
                    quantities.moment(failure.unix_ns, now_unix_ns),
                    str(failure.batch_id),
                    printable(str(failure.model)),
                    printable(failure.code.replace("_", " ")),
                    printable(failure.message, 200),
                )
                for failure in failures
            ),
        ],
        right={1},
    )
    yield Content.assemble((heading, "$text-muted"))
    for line in lines:
        yield Content.assemble((line, "$text-error"))
