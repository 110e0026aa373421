"""The shelf in the simulator: every scenario under every policy and baseline, in one table.

Simulated, so the figures are the same on every machine: seeded, in virtual time. Writes
docs/benchmarks/simulated_shelf.json and .md.
"""

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from math import inf
from pathlib import Path
from typing import Any, Final

from benchmarks.report import ROOT, circumstances, circumstances_text, table, write
from farm.sim.boards import figures
from farm.sim.from_scenario import read_scenario, setup_of
from farm.sim.schedulers import known_schedulers
from farm.sim.simulation import simulate

FOLDER: Final = ROOT / "docs" / "scenarios"
SATURATED, AT_90, CALM = "shelf-saturated", "shelf-90", "shelf-70"
FAULTS: Final = ("shelf-one-dies", "shelf-one-throttled", "shelf-one-hangs")
SCENARIOS: Final = (SATURATED, AT_90, CALM, *FAULTS)
DEFAULT: Final = "least_expected_completion"

CAPACITY_TARGET: Final = 0.97
P99_TARGET: Final = 2.0


def run(scenario: str, scheduler: str, requests: int | None) -> dict[str, Any]:
    """Simulate one scenario under one scheduler."""
    file = FOLDER / f"{scenario}.yaml"
    read = read_scenario(file)
    if requests is not None:
        read = read.model_copy(update={"requests": requests})
    report = simulate(setup_of(read, file=file), scheduler).to_json()
    sys.stderr.write(f"{scenario} {scheduler}\n")
    return report


def slowest_unloaded_ms() -> float:
    """Return what a row takes on the shelf's slowest board, alone and without the network."""
    return figures().models["mobilenetv2"].milliseconds["rpi3b+"][1]


def verdicts(found: dict[str, dict[str, Any]]) -> list[tuple[str, ...]]:
    """Return the figures that were asked for, against their targets."""
    share = found[SATURATED][DEFAULT]["share_of_capacity"]
    p99 = found[AT_90][DEFAULT]["latency"]["p99_ms"] or inf
    times = p99 / slowest_unloaded_ms()
    lost = sum(
        found[name][DEFAULT]["lost"] + sum(found[name][DEFAULT]["failed"].values())
        for name in FAULTS
    )
    return [
        (
            "throughput at saturation / summed capacity",
            f">= {CAPACITY_TARGET}",
            f"{share:.3f}",
            _verdict(share >= CAPACITY_TARGET),
        ),
        (
            f"p99 at 90 % load / slowest board's {slowest_unloaded_ms():g} ms",
            f"<= {P99_TARGET:g}",
            f"{times:.2f}",
            _verdict(times <= P99_TARGET),
        ),
        ("accepted requests lost or failed in the faults", "0", str(lost), _verdict(lost == 0)),
    ]


def _verdict(met: bool) -> str:
    return "met" if met else "missed"


def text(result: dict[str, Any]) -> str:
    """Return the report as Markdown."""
    found = result["reports"]
    sections = [
        f"## {name}\n\n{_purpose(FOLDER / f'{name}.yaml')}\n\n{_table(found[name])}\n"
        for name in SCENARIOS
    ]
    return (
        "# The shelf, simulated\n\n"
        "Four Pi 3B+, eight Pi 4 and four Pi 5, four one-thread slots each, MobileNetV2 as the"
        " boards were measured (`farm/sim/data/boards.yaml`). The scheduler is the farm's own;"
        " boards, network and faults are simulated ([simulator.md](../simulator.md)). Names that"
        " begin with `baseline` are other ways to do it, on the same boards and requests.\n\n"
        f"{table(('figure', 'target', DEFAULT, 'verdict'), verdicts(found))}\n\n"
        "The cost of each fault stands against the same load without one:\n\n"
        f"{table(_COST_HEADER, _costs(found))}\n\n" + "\n".join(sections) + "\n## Circumstances\n\n"
        f"{circumstances_text(result['circumstances'])}\n"
        "Again: `python -m benchmarks.simulated_shelf`. Everything that was counted, node by node,"
        " is in `simulated_shelf.json`.\n"
    )


_COST_HEADER: Final = ("scenario", "rows/s", "p50 ms", "p99 ms", "max ms", "retries", "lost")


def _costs(found: dict[str, dict[str, Any]]) -> list[tuple[str, ...]]:
    rows = []
    for name in (CALM, *FAULTS):
        report = found[name][DEFAULT]
        latency = report["latency"]
        rows.append(
            (
                name,
                f"{report['rows_per_s']:.0f}",
                *(_ms(latency[key]) for key in ("p50_ms", "p99_ms", "max_ms")),
                str(report["retries"]),
                str(report["lost"] + sum(report["failed"].values())),
            )
        )
    return rows


def _ms(value: float | None) -> str:
    """Return milliseconds; a run that ended before its warm-up has none."""
    return "-" if value is None else f"{value:.0f}"


def _purpose(file: Path) -> str:
    """Return the comment at the head of a scenario."""
    lines = []
    for line in file.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.removeprefix("#").strip())
    return " ".join(lines)


def _table(reports: dict[str, Any]) -> str:
    header = (
        "scheduler", "rows/s", "of capacity", "p50 ms", "p90 ms", "p95 ms", "p99 ms", "refused",
        "failed", "lost", "J/row",
    )  # fmt: skip
    rows = []
    for name, report in reports.items():
        latency = report["latency"]
        rows.append(
            (
                name,
                f"{report['rows_per_s']:.0f}",
                f"{report['share_of_capacity']:.3f}",
                *(_ms(latency[key]) for key in ("p50_ms", "p90_ms", "p95_ms", "p99_ms")),
                str(sum(report["refused"].values())),
                str(sum(report["failed"].values())),
                str(report["lost"]),
                f"{report['joules_per_row']:.3f}",
            )
        )
    return table(header, rows)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, help="of each run, instead of the scenario's")
    parser.add_argument("--jobs", type=int, default=1, help="processes that simulate")
    parser.add_argument("--schedulers", nargs="+", default=list(known_schedulers()))
    given = parser.parse_args(arguments)
    facts = circumstances()
    with ProcessPoolExecutor(given.jobs) as pool:
        running = {
            (scenario, scheduler): pool.submit(run, scenario, scheduler, given.requests)
            for scenario in SCENARIOS
            for scheduler in given.schedulers
        }
        found: dict[str, dict[str, Any]] = {scenario: {} for scenario in SCENARIOS}
        for (scenario, scheduler), future in running.items():
            found[scenario][scheduler] = future.result()
    result = {"circumstances": facts, "reports": found}
    whole = given.requests is None and set(given.schedulers) == set(known_schedulers())
    if whole:
        write("simulated_shelf", result, text(result))
    print(text(result))


if __name__ == "__main__":
    main()
