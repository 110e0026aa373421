"""How many rows to run at once, from a node's measured curve."""

from farm.core.models import LatencyCurve

# A larger batch must be this much better per row, or the smaller one's latency wins.
WORTHWHILE = 0.95


def target_rows(
    *,
    curve: LatencyCurve | None,
    first: int,
    waiting: int,
    max_rows: int,
    overhead_s: float,
    time_left_s: float,
) -> int:
    """Return the rows a batch should have: the best rows per second that is still in time.

    Args:
        curve: the node's seconds by rows, or None where nothing was measured.
        first: rows of the most urgent request, which rides in any case.
        waiting: rows that could ride now, `first` included.
        max_rows: the model's bound, at least 1.
        overhead_s: seconds a dispatch costs beside compute; it favours larger batches.
        time_left_s: seconds until the tightest deadline, infinite without one.

    Sizes tried are the measured ones and whatever is waiting. A larger one wins only
    where it takes less than `WORTHWHILE` of the smaller one's seconds a row, so a flat
    or worsening curve gives `first`.
    """
    best = max(first, 1)
    limit = min(waiting, max_rows)
    if curve is None or limit <= best:
        return max(limit, best)
    best_per_row = (overhead_s + curve.seconds(best)) / best
    for rows in (*(rows for rows, _ in curve.points if best < rows < limit), limit):
        seconds = overhead_s + curve.seconds(rows)
        if seconds > time_left_s:
            break
        if seconds / rows < best_per_row * WORTHWHILE:
            best, best_per_row = rows, seconds / rows
    return best
