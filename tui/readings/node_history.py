"""How one node fared: what its gateway remembers, and what the screen itself has seen since."""

from collections.abc import Sequence
from dataclasses import dataclass

from farm.core.histories import HistoryPoint
from tui.readings.trends import Trends


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeHistory:
    """Values of a node at moments that rise; None where nothing was known.

    `cpu_fraction` is of all cores, 0 to 1; `latency_s` the time of its batches.
    """

    unix_ns: Sequence[int]
    cpu_fraction: Sequence[float | None]
    temperature_c: Sequence[float | None]
    watts: Sequence[float | None]
    requests_per_s: Sequence[float | None]
    latency_s: Sequence[float | None]


def joined(points: Sequence[HistoryPoint], trends: Trends) -> NodeHistory:
    """Return what a gateway remembers of the time before the trends, then the trends.

    Of a recording that was wound back only what is not later than its latest moment.
    """
    first = _last_rise(trends.unix_ns)
    begins = trends.unix_ns[first] if trends.unix_ns else None
    before = [point for point in points if begins is None or point.unix_ns < begins]

    def whole(
        past: Sequence[float | None], lately: Sequence[float | None]
    ) -> Sequence[float | None]:
        return [*past, *list(lately)[first:]]

    return NodeHistory(
        unix_ns=[*(point.unix_ns for point in before), *list(trends.unix_ns)[first:]],
        cpu_fraction=whole([point.cpu_fraction for point in before], trends.cpu_fraction),
        temperature_c=whole([point.temperature_c for point in before], trends.temperature_c),
        watts=whole([point.watts for point in before], trends.watts),
        requests_per_s=whole([point.requests_per_s for point in before], trends.requests_per_s),
        latency_s=whole([point.latency_s for point in before], trends.batch_s),
    )


def _last_rise(moments: Sequence[int]) -> int:
    """Return where the last stretch of rising moments begins."""
    for at in range(len(moments) - 1, 0, -1):
        if moments[at - 1] >= moments[at]:
            return at
    return 0
