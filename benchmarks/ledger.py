"""What the ledger costs, and how long a report over a million batches takes.

A million batches of four weeks, of 8 nodes, 4 models and 16 clients, go through the real writer
into a file; then figures are asked for as a report asks for them. Writes
docs/benchmarks/ledger.json and .md.
"""

import argparse
import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from benchmarks.report import circumstances, circumstances_text, shown, spread, table, write
from farm.core.clock import SystemClock
from farm.core.ledger import BatchRecord, GroupBy, LedgerQuery, Usage, WasteKind
from farm.core.models import ModelKey
from farm.engine.ledger.ledger import Ledger

MILLION: Final = 1_000_000
REPORT_TARGET_S: Final = 2.0
MIN_ROUNDS: Final = 5

_SEED: Final = 1
_DAY_NS: Final = 86_400_000_000_000
_SPAN_NS: Final = 28 * _DAY_NS
_NODES: Final = [f"pi-{number:02}" for number in range(1, 9)]
_MODELS: Final = [ModelKey(f"model-{number}", 1) for number in range(1, 5)]
_CLIENTS: Final = [f"id:client-{number:02}" for number in range(1, 17)]
# Handed over at once; the ledger takes 50,000 before it drops any.
_BURST: Final = 20_000
_REQUESTS: Final = 500_000
_BUSY: Final = 60_000
_BUSY_PER_S: Final = 100


def made_batches(count: int, begins_unix_ns: int, span_ns: int) -> Iterator[BatchRecord]:
    """Yield batches that are spread evenly over a time."""
    draw = random.Random(_SEED)
    for number in range(count):
        joules = draw.uniform(0.1, 10.0)
        clients = {client: draw.randint(1, 8) for client in draw.sample(_CLIENTS, 2)}
        model = draw.choice(_MODELS)
        rows, fails = sum(clients.values()), draw.random() >= 0.98
        yield BatchRecord(
            settled_unix_ns=begins_unix_ns + number * span_ns // count,
            batch_id=number,
            model=model,
            digest=f"{hash(model) & 0xFFFF:064x}",
            node_id=draw.choice(_NODES),
            route="farm",
            outcome="node_lost" if fails else "completed",
            rows=rows,
            requests=0 if fails else rows,
            wasted=rows if fails else 0,
            queue_s=draw.uniform(0.0, 0.05),
            compute_s=draw.uniform(0.01, 0.1),
            usage=Usage(
                joules=joules,
                low_j=0.8 * joules,
                high_j=1.2 * joules,
                measured_j=0.5 * joules,
                modelled_j=0.5 * joules,
                marginal_j=0.6 * joules,
                node_s=joules / 10,
                cost=joules * 1e-7,
                power_cost=joules * 4e-8,
            ),
            waste={WasteKind.RETRIED: rows} if fails else {},
            clients=clients,
        )


def fill(ledger: Ledger, count: int, begins_unix_ns: int, span_ns: int) -> float:
    """Write batches; return the CPU microseconds of the whole process that each took."""
    cpu_s = 0.0
    batches = made_batches(count, begins_unix_ns, span_ns)
    while burst := list(islice(batches, _BURST)):
        began = time.process_time()
        ledger.batches(burst, len(burst))
        assert ledger.flush(60.0)
        cpu_s += time.process_time() - began
        sys.stderr.write(f"\r{burst[-1].batch_id + 1:,} batches")
    sys.stderr.write("\n")
    assert ledger.drops == 0
    return cpu_s / count * 1e6


def batch_us(folder: Path) -> float:
    """Return what a batch takes of a farm that is busy."""
    clock = SystemClock()
    with closing(Ledger(folder / "busy.db", clock=clock)) as ledger:
        ledger.open()
        span_ns = _BUSY * 1_000_000_000 // _BUSY_PER_S
        return fill(ledger, _BUSY, clock.unix_ns() - span_ns, span_ns)


def request_us(ledger: Ledger) -> float:
    """Return the CPU microseconds that counting a request takes of the event loop."""
    began = time.thread_time()
    for number in range(_REQUESTS):
        ledger.request(
            _MODELS[number % 4], _CLIENTS[number % 16], None, 0.004, in_time=True,
            request_bytes=1_000, response_bytes=100,
        )  # fmt: skip
    return (time.thread_time() - began) / _REQUESTS * 1e6


def asked(begins_unix_ns: int) -> dict[str, LedgerQuery]:
    """Return what a report asks for: each group over the time, and the farm day by day."""
    queries = {
        f"by {group}": LedgerQuery(
            since_unix_ns=begins_unix_ns, until_unix_ns=begins_unix_ns + _SPAN_NS, group=group
        )
        for group in GroupBy
    }
    daily = LedgerQuery(
        since_unix_ns=begins_unix_ns, until_unix_ns=begins_unix_ns + _SPAN_NS, step_s=86_400
    )
    return {**queries, "day by day": daily}


def seconds(work: Callable[[], object]) -> float:
    """Return how long something takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def measure(folder: Path, count: int, rounds: int) -> dict[str, Any]:
    """Return every figure, those of queries with their spread over the rounds."""
    clock = SystemClock()
    begins = clock.unix_ns() - _SPAN_NS
    path = folder / "ledger.db"
    ledger = Ledger(path, clock=clock, currency="EUR")
    ledger.open()
    try:
        fill(ledger, count, begins, _SPAN_NS)
        # Until all that is days old has been merged into hours.
        for _ in range(_SPAN_NS // _DAY_NS):
            assert ledger.flush(60.0)
        queries = asked(begins)
        samples: dict[str, list[float]] = {name: [] for name in (*queries, "report")}
        for _ in range(rounds):
            for name, query in queries.items():
                samples[name].append(seconds(lambda query=query: ledger.figures(query)))
            samples["report"].append(sum(samples[name][-1] for name in queries))
        batches = sum(figures.batches for figures in ledger.figures(queries["by total"]))
        assert batches == count
        export_s = seconds(lambda: sum(map(len, ledger.records(begins, begins + _SPAN_NS))))
        counted = spread(request_us(ledger) for _ in range(rounds))
    finally:
        ledger.close()
    return {
        "batches": count,
        "rounds": rounds,
        "seconds": {name: spread(values) for name, values in samples.items()},
        "read_all_s": round(export_s, 2),
        "batch_us": spread(batch_us(folder / str(number)) for number in range(rounds)),
        "request_us": counted,
        "bytes_per_batch": round(path.stat().st_size / count, 1),
    }


def text(result: dict[str, Any]) -> str:
    """Return the report as Markdown."""
    report = result["seconds"]["report"]
    met = report["median"] <= REPORT_TARGET_S
    rows = [
        (
            "all that a report asks for, seconds",
            f"<= {REPORT_TARGET_S:g}",
            *shown(report, "{:.3f}"),
            "met" if met else "missed",
        ),
        *(
            (f"{name}, seconds", "", *shown(found, "{:.3f}"), "")
            for name, found in result["seconds"].items()
            if name != "report"
        ),
        ("reading every batch, seconds", "", f"{result['read_all_s']:.1f}", "", ""),
        (
            f"a batch, at {_BUSY_PER_S} a second: CPU µs of the gateway, mostly on another thread",
            "",
            *shown(result["batch_us"], "{:.1f}"),
            "",
        ),
        ("a request: CPU µs on the loop", "", *shown(result["request_us"], "{:.2f}"), ""),
        ("a batch: bytes on disk, sums included", "", f"{result['bytes_per_batch']:.0f}", "", ""),
    ]
    return (
        "# What the ledger costs\n\n"
        f"{result['batches']:,} batches of four weeks, 8 nodes, 4 models, 16 clients of which two"
        " share a batch, written by the real writer and read from the file while it is open;"
        f" {result['rounds']} rounds.\n\n"
        f"{table(('figure', 'target', 'median', 'min..max', 'verdict'), rows)}\n\n"
        "## Circumstances\n\n"
        f"{circumstances_text(result['circumstances'])}\n"
        "Again: `python -m benchmarks.ledger`. Every round's value is in `ledger.json`.\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=MIN_ROUNDS, choices=range(1, 21))
    parser.add_argument("--quick", action="store_true", help="a tenth; writes nothing")
    given = parser.parse_args()
    facts = circumstances()
    with TemporaryDirectory() as folder:
        count = MILLION // 10 if given.quick else MILLION
        result = {"circumstances": facts, **measure(Path(folder), count, given.rounds)}
    if not given.quick and given.rounds >= MIN_ROUNDS:
        write("ledger", result, text(result))
    print(text(result))


if __name__ == "__main__":
    main()
