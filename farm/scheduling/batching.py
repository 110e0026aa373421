"""How many rows to run at once, from a node's measured curve."""

from collections.abc import Sequence
from dataclasses import dataclass

from farm.core.models import LatencyCurve

# A larger batch must be this much better per row, or the smaller one's latency wins.
WORTHWHILE = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizing:
    """What a batch's size depends on beside the node and the time that is left.

    `first` are the rows of the request that goes first and rides in any case, `waiting` all
    that could ride now, `first` included, and `max_rows` the model's bound, at least 1.
    `overhead_s` is what a batch costs beside compute; it favours larger ones. The model's
    config prefers the sizes `preferred`.
    """

    first: int
    waiting: int
    max_rows: int
    overhead_s: float
    preferred: tuple[int, ...] = ()


def target_rows(sizing: Sizing, *, curve: LatencyCurve | None, time_left_s: float) -> int:
    """Return the rows a batch should have: the best rows per second that is still in time.

    Args:
        sizing: what waits, and the bounds.
        curve: the node's seconds by rows, or None where nothing was measured.
        time_left_s: seconds until the tightest deadline, infinite without one.

    Sizes tried are the measured ones and whatever is waiting; where preferred ones can be
    filled in time, only those. A larger one wins only where it takes less than `WORTHWHILE`
    of the smaller one's seconds a row, so a flat or worsening curve gives the smallest.
    """
    overhead_s = sizing.overhead_s
    smallest = max(sizing.first, 1)
    limit = max(min(sizing.waiting, sizing.max_rows), smallest)
    fitting = sorted(rows for rows in sizing.preferred if smallest <= rows <= limit)
    if curve is None:
        return fitting[-1] if fitting else limit
    if fitting and overhead_s + curve.seconds(fitting[0]) <= time_left_s:
        return _best(curve, fitting[0], fitting[1:], overhead_s, time_left_s)
    if limit == smallest:
        return limit
    sizes = [rows for rows, _ in curve.points if smallest < rows < limit]
    sizes.append(limit)
    return _best(curve, smallest, sizes, overhead_s, time_left_s)


def growth_pays(*, curve: LatencyCurve, rows: int, up_to: int, overhead_s: float) -> bool:
    """Whether a batch of `rows` that grew, to at most `up_to`, would take less time a row."""
    bound = (overhead_s + curve.seconds(rows)) / rows * WORTHWHILE
    sizes = [size for size, _ in curve.points if rows < size < up_to]
    if rows < up_to:
        sizes.append(up_to)
    return any((overhead_s + curve.seconds(size)) / size < bound for size in sizes)


def _best(
    curve: LatencyCurve, best: int, larger: Sequence[int], overhead_s: float, time_left_s: float
) -> int:
    """Return the best of ascending sizes; `best`, the smallest, is there in any case."""
    best_per_row = (overhead_s + curve.seconds(best)) / best
    for rows in larger:
        seconds = overhead_s + curve.seconds(rows)
        if seconds > time_left_s:
            break
        if seconds / rows < best_per_row * WORTHWHILE:
            best, best_per_row = rows, seconds / rows
    return best
