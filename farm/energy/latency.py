"""Quantiles from counts of latencies."""

from collections.abc import Sequence

from farm.core.ledger import LATENCY_BOUNDS_S


def latency_s(counts: Sequence[int], share: float) -> float | None:
    """Return the latency that a share of the answers did not exceed; None without any.

    `counts` are by `LATENCY_BOUNDS_S`; between two bounds answers are taken to be spread
    evenly. What is above the last bound is told as that bound.
    """
    wanted = sum(counts) * share
    below, seen = 0.0, 0
    for bound, count in zip(LATENCY_BOUNDS_S, counts, strict=False):
        if count and seen + count >= wanted:
            return below + (bound - below) * max(wanted - seen, 0.0) / count
        below, seen = bound, seen + count
    return LATENCY_BOUNDS_S[-1] if sum(counts) else None
