"""Measures seconds by batch size on a split: the seed of a model's latency curve."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import accumulate
from threading import Barrier
from time import perf_counter

from farm.core.actor_messages import PROTOCOL, CallHead
from farm.core.errors import FarmError
from farm.core.models import LatencyCurve
from farm.node.arrays import to_wire
from farm.node.execution import run_call
from farm.node.rows import Rows
from farm.node.sessions import Session

_REPEATS = 5

# Shorter runs are timed several at a time, or threads that start one after the other would
# hardly run together.
_PASS_S = 0.002
_MAX_RUNS = 200


def measure_curve(
    session: Session, rows: Rows, *, threads: int, capacity: int, max_rows: int, budget_s: float
) -> LatencyCurve | None:
    """Return seconds by rows on one split of a node's threads.

    A batch is timed as it is served, from the bytes of one-row requests to the bytes of
    their answers. None for a model that sample rows do not run on.

    Args:
        session: the model, opened for so many `threads` a batch.
        rows: sample rows.
        threads: of a batch.
        capacity: threads of the node; as many batches as they suffice for run at once, so
            that what they take from each other, memory bandwidth above all, is in the figures.
        max_rows: the largest batch; sizes double up to it. 0 is a model without a batch axis,
            for which a whole request is the only point.
        budget_s: the first size is measured however long it takes; the last may overrun it.
    """
    points = _points(
        session,
        rows,
        together=max(capacity // threads, 1),
        max_rows=max_rows,
        budget_s=budget_s,
    )
    return LatencyCurve(points, threads) if points else None


def _points(
    session: Session, rows: Rows, *, together: int, max_rows: int, budget_s: float
) -> tuple[tuple[int, float], ...]:
    """Time batches of 1, 2, 4 … rows; the budget is checked between sizes."""
    points: list[tuple[int, float]] = []
    spent = 0.0
    size = 1
    with ThreadPoolExecutor(together) as runners:
        while size <= max(max_rows, 1):
            begun = perf_counter()
            try:
                run = _call(session, rows, size if max_rows else None)
                best = _best(partial(_pass, run, runners, together), budget_s)
            except FarmError:
                break
            points.append((size, best))
            spent += perf_counter() - begun
            # The next size takes about twice as long.
            if spent + 2 * best > budget_s:
                break
            size *= 2
    return _cleaned(points)


def _call(session: Session, rows: Rows, size: int | None) -> Callable[[], object]:
    """Return what runs a batch as it is served, from bytes to bytes: `size` requests of a row.

    Without a size it is one request of a model that has no batch axis.
    """
    inputs = rows.whole() if size is None else rows.take(size)
    tensors = [to_wire(name, array) for name, array in inputs.items()]
    head = CallHead(
        protocol=PROTOCOL,
        model="",
        digest="",
        rows=None if size is None else (1,) * size,
        inputs=tuple((name, datatype, shape) for name, datatype, shape, _ in tensors),
        call_id="",
    )
    return partial(run_call, session, head, [raw for *_, raw in tensors])


def _cleaned(points: Sequence[tuple[int, float]]) -> tuple[tuple[int, float], ...]:
    """Lower what took longer than a larger batch did: something else was on the cores then."""
    lowest = accumulate((seconds for _, seconds in reversed(points)), min)
    rows = (rows for rows, _ in reversed(points))
    return tuple(zip(rows, lowest, strict=True))[::-1]


def _best(seconds_of: Callable[[int], float], budget_s: float) -> float:
    """Return the best of a few passes, each of as many runs as make it long enough."""
    begun = perf_counter()
    best = seconds_of(1)
    for _ in range(_REPEATS - 1):
        if perf_counter() - begun > budget_s:
            break
        best = min(best, seconds_of(max(min(int(_PASS_S / best), _MAX_RUNS), 1)))
    return best


def _pass(
    run: Callable[[], object], runners: ThreadPoolExecutor, together: int, runs: int
) -> float:
    """Return the seconds of a run while `together` threads do `runs` each, back to back.

    From the first start to the last end, so that threads which the cores cannot run at once
    do not pass for quick ones.
    """
    begin = Barrier(together)

    def work() -> tuple[float, float]:
        begin.wait()
        started = perf_counter()
        for _ in range(runs):
            run()
        return started, perf_counter()

    jobs = [runners.submit(work) for _ in range(together)]
    times = [job.result() for job in jobs]
    return (max(ended for _, ended in times) - min(started for started, _ in times)) / runs
