"""A simulation's report as tables."""

from collections.abc import Sequence

from farm.cli.tables import print_table
from farm.sim.report import Latency, Report

_COMPARED = (
    "policy", "rows/s", "of capacity", "p50 ms", "p90 ms", "p95 ms", "p99 ms", "max ms",
    "answered", "refused", "failed", "lost", "retries", "J/row",
)  # fmt: skip


def print_comparison(reports: Sequence[Report]) -> None:
    """Print one line for each report."""
    print_table("Simulated", _COMPARED, [_compared(report) for report in reports])


def print_report(report: Report) -> None:
    """Print the farm as a whole, its kinds of requests if they differ, and its nodes."""
    print_comparison([report])
    if report.recorded:
        recorded = report.recorded
        latency = Latency(
            count=round(recorded["answered"]),
            **{name: recorded.get(name) for name in ("p50_ms", "p90_ms", "p95_ms", "p99_ms")},
        )
        rows = [("recorded", latency), ("simulated", report.latency)]
        print_table("Against the recording", _LATENCY, [_latency(*row) for row in rows])
    if len(report.latency_by_kind) > 1:
        rows = list(report.latency_by_kind.items())
        print_table("Requests", _LATENCY, [_latency(*row) for row in rows])
    for what, counts in (("Refused", report.refused), ("Failed", report.failed)):
        if counts:
            rows_ = [(code, str(count)) for code, count in counts.items()]
            print_table(what, ("why", "requests"), rows_)
    print_table(
        "Nodes",
        ("node", "requests", "batches", "rows a batch", "utilisation", "ejected", "replaced",
         "J/row"),
        [
            (
                node.node,
                str(node.requests),
                str(node.batches),
                f"{node.mean_rows:.2f}",
                f"{node.utilisation:.1%}",
                str(node.ejections),
                str(node.replacements),
                _figure(node.joules_per_row, ".4f"),
            )
            for node in report.nodes
        ],
    )  # fmt: skip


_LATENCY = ("requests", "count", "p50 ms", "p90 ms", "p95 ms", "p99 ms", "max ms")


def _compared(report: Report) -> tuple[str, ...]:
    return (
        report.policy,
        f"{report.rows_per_s:.1f}",
        _figure(report.share_of_capacity, ".1%"),
        *_percentiles(report.latency),
        str(report.answered),
        str(sum(report.refused.values())),
        str(sum(report.failed.values())),
        str(report.lost),
        str(report.retries),
        _figure(report.joules_per_row, ".4f"),
    )


def _latency(kind: str, latency: Latency) -> tuple[str, ...]:
    return (kind, str(latency.count), *_percentiles(latency))


def _percentiles(latency: Latency) -> list[str]:
    figures = (
        latency.p50_ms, latency.p90_ms, latency.p95_ms, latency.p99_ms, latency.max_ms
    )  # fmt: skip
    return [_figure(figure, ".1f") for figure in figures]


def _figure(value: float | None, pattern: str) -> str:
    return "-" if value is None else format(value, pattern)
