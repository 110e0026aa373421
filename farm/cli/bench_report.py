"""What `farm bench` prints."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from farm.client import InferResult
    from farm.client.load.generator import LoadResult
    from farm.client.load.latencies import Latencies

_PERCENTS = (50, 90, 95, 99)


def to_document(
    answered: "InferResult", address: str, results: "list[LoadResult]"
) -> dict[str, Any]:
    """Return the results as JSON has them; times are milliseconds, None where none was taken.

    `answered` is the answer to one such request and names the version.
    """
    from farm import __version__

    plan = results[0].plan
    return {
        "farm_version": __version__,
        "model": answered.model,
        "version": answered.version,
        "address": address,
        "loop": "closed" if plan.rate_per_s is None else "open",
        "transport": "stream" if plan.stream else "unary",
        "rows_per_request": plan.rows,
        "duration_s": plan.duration_s,
        "warmup_s": plan.warmup_s,
        "seed": plan.seed,
        "levels": [_level(result) for result in results],
    }


def print_results(answered: "InferResult", results: "list[LoadResult]") -> None:
    """Print a line a level, then where the time went and who ran what."""
    from farm.cli.tables import print_table

    plan = results[0].plan
    way = "over one stream" if plan.stream else "a call each"
    rows = "1 row" if plan.rows == 1 else f"{plan.rows} rows"
    served = f"{answered.model} version {answered.version}"
    print_table(
        f"{served}, {rows} a request, {way}, {plan.duration_s:g} s",
        ("load", "requests/s", "rows/s", "p50", "p90", "p95", "p99", "max", "failed"),
        [
            (
                _load(result),
                f"{result.requests_per_s:,.0f}",
                f"{result.rows_per_s:,.0f}",
                *(_milliseconds(result.latency.percentile_s(percent)) for percent in _PERCENTS),
                _milliseconds(result.latency.max_s),
                str(result.failed),
            )
            for result in results
        ],
    )
    if not any(result.nodes for result in results):
        return
    print_table(
        "Mean parts of a latency, by the receipts",
        ("load", "late", "queue", "compute", "network and gateway", "rows a batch", "nodes"),
        [
            (
                _load(result),
                _milliseconds(result.late.mean_s) if plan.rate_per_s is not None else "-",
                _milliseconds(result.queue.mean_s),
                _milliseconds(result.compute.mean_s),
                _milliseconds(result.rest.mean_s),
                _mean_batch(result),
                _shares(result),
            )
            for result in results
        ],
    )


def _level(result: "LoadResult") -> dict[str, Any]:
    plan = result.plan
    return {
        "concurrency": plan.concurrency if plan.rate_per_s is None else None,
        "rate_per_s": plan.rate_per_s,
        "requests_per_s": round(result.requests_per_s, 3),
        "rows_per_s": round(result.rows_per_s, 3),
        "succeeded": result.latency.count,
        "failed": result.failed,
        "errors": {str(code): count for code, count in sorted(result.errors.items())},
        "latency_ms": _distribution(result.latency),
        "late_ms": _distribution(result.late),
        "queue_ms": _distribution(result.queue),
        "compute_ms": _distribution(result.compute),
        "network_and_gateway_ms": _distribution(result.rest),
        "batch_sizes": {str(size): count for size, count in sorted(result.batch_sizes.items())},
        "nodes": dict(sorted(result.nodes.items())),
        "generator_cpu_fraction": round(result.cpu_fraction, 3),
    }


def _distribution(latencies: "Latencies") -> dict[str, float | None]:
    values = {"mean": latencies.mean_s}
    values |= {f"p{percent}": latencies.percentile_s(percent) for percent in _PERCENTS}
    values["max"] = latencies.max_s
    return {key: None if value is None else round(value * 1e3, 4) for key, value in values.items()}


def _load(result: "LoadResult") -> str:
    plan = result.plan
    return f"{plan.rate_per_s:g}/s" if plan.rate_per_s is not None else str(plan.concurrency)


def _milliseconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1e3:.2f} ms"


def _mean_batch(result: "LoadResult") -> str:
    sizes = result.batch_sizes
    count = sizes.total()
    return f"{sum(size * n for size, n in sizes.items()) / count:.1f}" if count else "-"


def _shares(result: "LoadResult") -> str:
    total = result.nodes.total()
    return ", ".join(f"{node} {count / total:.0%}" for node, count in sorted(result.nodes.items()))
