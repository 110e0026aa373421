"""What the scheduler itself costs: CPU microseconds a request, on ever larger farms.

The machine is driven by the simulator; only what it spends in its own calls counts. Then a
simulation of 64 nodes and a million requests, in seconds. Writes
docs/benchmarks/machine_cost.json and .md.
"""

import argparse
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from benchmarks.report import circumstances, circumstances_text, shown, spread, table, write
from farm.scheduling.effects import Effect
from farm.scheduling.events import Event, RequestArrived
from farm.sim.from_scenario import setup_of
from farm.sim.scenario import Scenario
from farm.sim.schedulers import Scheduler, make_scheduler
from farm.sim.setup import Setup
from farm.sim.simulation import Simulation, simulate

SIZES: Final = (4, 16, 64, 256)
# What arrives, as a share of what the shelf can do; None is callers who never pause.
LOADS: Final[Mapping[str, float | None]] = {"50 %": 0.5, "70 %": 0.7, "saturated": None}
POLICY: Final = "least_expected_completion"
MIN_ROUNDS: Final = 5
GROWTH_TARGET: Final = 2.0

MILLION: Final = 1_000_000
MILLION_NODES: Final = 64
MILLION_TARGET_S: Final = 180.0

_SLOTS: Final = 4
_REQUESTS_PER_NODE: Final = 200
_MIN_REQUESTS: Final = 8_000


class TimedScheduler:
    """Passes everything on and adds up the CPU time; the first `skip` requests do not count."""

    def __init__(self, scheduler: Scheduler, *, skip: int) -> None:
        self._scheduler = scheduler
        self._skip = skip
        self._seen = 0
        self.requests = 0
        self.cpu_ns = 0

    def handle_all(self, events: Iterable[Event], now: float) -> list[Effect]:
        listed = list(events)
        arrived = sum(isinstance(event, RequestArrived) for event in listed)
        self._seen += arrived
        began = time.thread_time_ns()
        effects = self._scheduler.handle_all(listed, now)
        spent = time.thread_time_ns() - began
        if self._seen > self._skip:
            self.requests += arrived
            self.cpu_ns += spent
        return effects


def shelf(nodes: int, load: str, requests: int) -> Setup:
    """Return a shelf of a quarter Pi 3B+, a half Pi 4 and a quarter Pi 5."""
    share = LOADS[load]
    arrivals: dict[str, Any] = {"kind": "poisson", "load": share}
    if share is None:
        arrivals = {"kind": "closed", "callers": 2 * _SLOTS * nodes}
    scenario = Scenario.model_validate(
        {
            "requests": requests,
            "nodes": [
                {"board": "rpi3b+", "count": nodes // 4, "slots": _SLOTS},
                {"board": "rpi4b", "count": nodes // 2, "slots": _SLOTS},
                {"board": "rpi5", "count": nodes // 4, "slots": _SLOTS},
            ],
            "models": {"mobilenetv2": {"max_batch_size": 8}},
            "limits": {"max_queue_size": 2 * _SLOTS * nodes},
            "arrivals": arrivals,
            "mix": [{"model": "mobilenetv2"}],
        }
    )
    return setup_of(scenario, file=Path("shelf"))


def cost_us(nodes: int, load: str) -> float:
    """Return the machine's CPU microseconds a request."""
    requests = max(_REQUESTS_PER_NODE * nodes, _MIN_REQUESTS)
    setup = shelf(nodes, load, requests)
    machine = make_scheduler(POLICY, limits=setup.limits, seed=setup.seed)
    timed = TimedScheduler(machine, skip=requests // 5)
    Simulation(setup, timed).run(POLICY)
    return timed.cpu_ns / timed.requests / 1e3


def million() -> dict[str, float]:
    """Return the seconds that a million requests on 64 nodes take, by both clocks."""
    setup = shelf(MILLION_NODES, "50 %", MILLION)
    began, cpu = time.perf_counter(), time.process_time()
    report = simulate(setup, POLICY)
    assert report.answered == MILLION
    return {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - cpu}


def summarise(samples: dict[str, dict[int, list[float]]]) -> dict[str, Any]:
    """Return the costs with their spread, and the growth from the smallest farm to the largest."""
    first, last = SIZES[0], SIZES[-1]
    growth = {
        load: spread(after / before for before, after in zip(by[first], by[last], strict=True))
        for load, by in samples.items()
    }
    return {
        "us_per_request": {
            load: {str(nodes): spread(values) for nodes, values in by.items()}
            for load, by in samples.items()
        },
        "growth": {
            load: {**found, "target": GROWTH_TARGET, "met": found["median"] <= GROWTH_TARGET}
            for load, found in growth.items()
        },
    }


def text(result: dict[str, Any]) -> str:
    """Return the report as Markdown."""
    rows = [
        (
            f"{load}: cost at {SIZES[-1]} nodes / at {SIZES[0]}",
            f"<= {GROWTH_TARGET:g}",
            *shown(found, "{:.2f}"),
            "met" if found["met"] else "missed",
        )
        for load, found in result["growth"].items()
    ]
    if taken := result.get("million"):
        rows.append(
            (
                f"{MILLION_NODES} nodes, {MILLION:,} requests: seconds",
                f"<= {MILLION_TARGET_S:g}",
                f"{taken['seconds']:.0f}",
                f"{taken['cpu_seconds']:.0f} of CPU",
                "met" if taken["seconds"] <= MILLION_TARGET_S else "missed",
            )
        )
    costs = [
        (f"{load}, {nodes} nodes", *shown(found, "{:.0f}"))
        for load, by in result["us_per_request"].items()
        for nodes, found in by.items()
    ]
    return (
        "# What the scheduler costs\n\n"
        f"CPU microseconds a request that the machine spends in its own calls, policy `{POLICY}`,"
        " one model, four slots a node, a quarter each Pi 3B+ and Pi 5 and a half Pi 4. The"
        f" simulator drives it; {result['rounds']} rounds, sizes and loads in turn.\n\n"
        f"{table(('figure', 'target', 'median', 'min..max', 'verdict'), rows)}\n\n"
        f"{table(('load and size', 'µs a request', 'min..max'), costs)}\n\n"
        "## Circumstances\n\n"
        f"{circumstances_text(result['circumstances'])}\n"
        "Again: `python -m benchmarks.machine_cost`. Every round's value is in"
        " `machine_cost.json`.\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=MIN_ROUNDS, choices=range(1, 21))
    parser.add_argument("--quick", action="store_true", help="no million; writes nothing")
    given = parser.parse_args()
    facts = circumstances()
    samples: dict[str, dict[int, list[float]]] = {
        load: {nodes: [] for nodes in SIZES} for load in LOADS
    }
    for _ in range(given.rounds):
        for load in LOADS:
            for nodes in SIZES:
                samples[load][nodes].append(cost_us(nodes, load))
                sys.stderr.write(f"{load}, {nodes} nodes: {samples[load][nodes][-1]:.0f} µs\n")
    result = {"circumstances": facts, "rounds": given.rounds, **summarise(samples)}
    if not given.quick:
        result["million"] = million()
    if not given.quick and given.rounds >= MIN_ROUNDS:
        write("machine_cost", result, text(result))
    print(text(result))


if __name__ == "__main__":
    main()
