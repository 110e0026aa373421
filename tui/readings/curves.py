"""What batches of a model take, by how many rows they have, for people to read."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from farm.core.node_details import ModelOnNode

if TYPE_CHECKING:
    from farm.pb.farm_admin_pb2 import ModelDescription, NodeReadiness

# No batch takes less: what does was not measured.
_LEAST_S: Final = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """A measured point: the seconds of a batch, and what one really takes lately, if known."""

    rows: int
    measured_s: float
    really_s: float | None = None

    @property
    def rows_per_s(self) -> float:
        """Rows a second of one slot, as measured."""
        return self.rows / self.measured_s if self.measured_s >= _LEAST_S else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitReading:
    """A split of a node's cores that was measured: `slots` batches at once, of `threads` each.

    0 for both where that is not told.
    """

    slots: int
    threads: int
    chosen: bool
    points: Sequence[CurvePoint]

    @property
    def rows_per_s(self) -> float:
        """Rows a second of all slots together at the best size of batches, as measured."""
        best = max((point.rows_per_s for point in self.points), default=0.0)
        return best * max(self.slots, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveReading:
    """The curves of a version on one node, or on nodes that are alike.

    `title` is what those are, and `nodes` their names; empty for one node. `corrections` are
    the least and the greatest multiple of the curve that batches really take, at full clock;
    None where none is known. `measured_on` is the node that measured it.
    """

    title: str
    nodes: tuple[str, ...]
    corrections: tuple[float, float] | None
    splits: tuple[SplitReading, ...]
    measured_unix_ns: int = 0
    measured_on: str = ""


def of_node(model: ModelOnNode) -> CurveReading | None:
    """Return a version's curve on a node, None before it is measured."""
    if model.curve is None:
        return None
    correction = model.correction
    return CurveReading(
        title="",
        nodes=(),
        corrections=None if correction is None else (correction, correction),
        splits=(
            SplitReading(
                slots=0,
                threads=model.curve.threads,
                chosen=True,
                points=_points(model.curve.points, correction),
            ),
        ),
    )


def of_version(version: "ModelDescription") -> tuple[CurveReading, ...]:
    """Return the curves of a version: one for all nodes that go by the same measurement."""
    alike: dict[tuple[str, str, int, str], list[NodeReadiness]] = {}
    for node in version.nodes:
        if node.splits or node.curve:
            key = (node.cpu_class, node.board, node.measured_unix_ns, node.measured_on)
            alike.setdefault(key, []).append(node)
    return tuple(_of_class(nodes) for _, nodes in sorted(alike.items()))


def _of_class(nodes: "Sequence[NodeReadiness]") -> CurveReading:
    first = nodes[0]
    told = [node.correction for node in nodes if node.HasField("correction")]
    splits = [(split.slots, split.threads, split.chosen, split.curve) for split in first.splits]
    if not splits:
        splits = [(0, 0, True, first.curve)]
    return CurveReading(
        title=" ".join(filter(None, (first.board, first.cpu_class))),
        nodes=tuple(node.node_id for node in nodes),
        corrections=(min(told), max(told)) if told else None,
        splits=tuple(
            SplitReading(
                slots=slots,
                threads=threads,
                chosen=chosen,
                points=_points((point.rows, point.seconds) for point in curve),
            )
            for slots, threads, chosen, curve in splits
        ),
        measured_unix_ns=first.measured_unix_ns,
        measured_on=first.measured_on,
    )


def _points(
    points: Iterable[tuple[int, float]], correction: float | None = None
) -> tuple[CurvePoint, ...]:
    return tuple(
        CurvePoint(
            rows=rows,
            measured_s=measured_s,
            really_s=None if correction is None else measured_s * correction,
        )
        for rows, measured_s in points
    )
