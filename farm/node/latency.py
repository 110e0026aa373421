"""Measures seconds by batch size: the seed of a model's latency curve."""

from time import perf_counter

from farm.core.errors import FarmError
from farm.core.models import LatencyCurve
from farm.node.arrays import AnyArray
from farm.node.rows import Rows
from farm.node.sessions import Session

_REPEATS = 5


def measure_curve(
    session: Session, rows: Rows, *, max_rows: int, budget_s: float
) -> LatencyCurve | None:
    """Time batches of 1, 2, 4 … rows, the best of a few runs each, within `budget_s`.

    `max_rows` 0 is a model without a batch axis: one point, a whole request. The budget is
    checked between sizes, so the last size may overrun it. Returns None for a model that
    sample rows do not run on.
    """
    points: list[tuple[int, float]] = []
    spent = 0.0
    size = 1
    while size <= max(max_rows, 1):
        begun = perf_counter()
        try:
            best = _best(session, rows.take(size) if max_rows else rows.whole(), budget_s)
        except FarmError:
            break
        points.append((size, best))
        spent += perf_counter() - begun
        # The next size takes about twice as long.
        if spent + 2 * best > budget_s:
            break
        size *= 2
    return LatencyCurve(tuple(points)) if points else None


def _best(session: Session, inputs: dict[str, AnyArray], budget_s: float) -> float:
    best = float("inf")
    begun = perf_counter()
    for _ in range(_REPEATS):
        start = perf_counter()
        session.run("", inputs)
        best = min(best, perf_counter() - start)
        if perf_counter() - begun > budget_s:
            break
    return best
