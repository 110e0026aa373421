"""Serving figures of this farm and its peers, against bare ONNX Runtime, in one run.

One node of one slot and one thread; every server has one inference thread, the same ONNX
files and the same session. Machines are shared and drift: each round measures every server
in an order that rotates, one up at a time, and the bare loop right before the first of them,
the farm; every ratio is taken within its round. A complete run writes
docs/benchmarks/serving.json, .md and .svg; a part of one is printed only.
"""

import argparse
import json
import math
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Final

from benchmarks import generators, serving_chart, serving_report
from benchmarks.generators import GENERATOR, Generator, Loaded, unary_generator
from benchmarks.peer_environments import PEERS, PeerUnavailableError
from benchmarks.report import FOLDER, ROOT, circumstances, write
from benchmarks.servers import SERVERS, Settled, settled_server
from benchmarks.serving_summary import BARE, MIN_ROUNDS, summarise
from benchmarks.subjects import RESNET, TITLES, Subject, rows_per_batch, write_subjects

CONCURRENCIES: Final = (1, 8, 64)
BATCHES: Final = (1, 2, 4, 8, 16, 32)

_BARE_SECONDS: Final = 1.0
_WARMUP_S: Final = 1.0
# Of a server: start, settling and end; of the bare loop: import and warm-up.
_SERVER_S: Final = 22.0
_BARE_EXTRA_S: Final = 4.0
_MAX_TOTAL_S: Final = 2_400.0
_MAX_MEASUREMENT_S: Final = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to measure, how often, and for how many seconds each time."""

    servers: tuple[str, ...]
    models: tuple[str, ...]
    rounds: int
    seconds: float

    @property
    def expected_s(self) -> float:
        scales = len(self.models) + (RESNET in self.models)
        loads = len(CONCURRENCIES) * scales * (self.seconds + _WARMUP_S)
        bare = scales * (len(BATCHES) * _BARE_SECONDS + _BARE_EXTRA_S)
        return self.rounds * (len(self.servers) * (_SERVER_S + loads) + bare)

    @property
    def complete(self) -> bool:
        """Whether the result may stand for the whole."""
        everything = (SERVERS, tuple(TITLES))
        return self.rounds >= MIN_ROUNDS and (self.servers, self.models) == everything


@dataclass(slots=True)
class Samples:
    """What each round gave: by server (or `BARE`), model, and concurrency (or batch).

    `missing` says why a figure, or all of a server's, is not in a round, or in any.
    """

    rounds: list[dict[str, Any]] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)


def run(plan: Plan, generator: Generator) -> Samples:
    """Measure; progress goes to stderr."""
    samples = Samples()
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        subjects = write_subjects(folder, plan.models)
        for number in range(plan.rounds):
            turn = number % len(plan.servers)
            measured: dict[str, Any] = {}
            for server in plan.servers[turn:] + plan.servers[:turn]:
                _say(f"round {number + 1} of {plan.rounds}: {server}")
                if server == plan.servers[0]:
                    measured[BARE] = {subject.name: _bare(subject) for subject in subjects}
                try:
                    with settled_server(server, folder / "models") as settled:
                        load = ServerLoad(plan=plan, generator=generator, settled=settled)
                        measured[server] = load.over(subjects, samples.missing, server)
                except (PeerUnavailableError, RuntimeError) as error:
                    _miss(samples.missing, server, error)
            samples.rounds.append(measured)
    return samples


def _bare(subject: Subject) -> dict[str, Any]:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks.bare", str(subject.model)),
            *("--seconds", str(_BARE_SECONDS * subject.time_scale)),
            *("--batches", *map(str, BATCHES)),
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=_MAX_MEASUREMENT_S,
    )
    measured: dict[str, Any] = json.loads(done.stdout)
    best = max(measured.values(), key=lambda got: got["per_s"])
    _say(f"  {subject.name}: {best['per_s']:.1f}/s")
    return measured


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLoad:
    """Load on one server that is up."""

    plan: Plan
    generator: Generator
    settled: Settled

    def over(
        self, subjects: Sequence[Subject], missing: dict[str, str], server: str
    ) -> dict[str, Any]:
        """Return figures by model and concurrency; `missing` gets the reasons of failed ones."""
        measured: dict[str, Any] = {"idle_cores": self.settled.idle_cores}
        for subject in subjects:
            by_concurrency = measured.setdefault(subject.name, {})
            for concurrency in CONCURRENCIES:
                try:
                    by_concurrency[str(concurrency)] = self._figures(subject, concurrency)
                except RuntimeError as error:
                    _miss(missing, f"{server}, {TITLES[subject.name]}, {concurrency}", error)
        return measured

    def _figures(self, subject: Subject, concurrency: int) -> dict[str, Any]:
        loaded = generators.load(
            self.generator,
            self.settled.target,
            subject.request,
            concurrency=concurrency,
            seconds=self.plan.seconds * subject.time_scale,
            warmup=_WARMUP_S * subject.time_scale,
        )
        subject.check(loaded.samples)
        figures = _figures(loaded)
        _say(
            f"  {subject.name} c={concurrency}: {figures['per_s']:.1f}/s,"
            f" p50 {figures['p50_ms']:.2f} ms"
        )
        return figures


def _miss(missing: dict[str, str], what: str, error: Exception) -> None:
    missing[what] = str(error)
    _say(f"  {what}: {error}")


def _figures(loaded: Loaded) -> dict[str, Any]:
    ordered = sorted(loaded.latencies_us)
    servers = {
        role: used for role, used in loaded.cpu_s.items() if role not in (GENERATOR, "others")
    }
    return {
        "requests": loaded.count,
        "per_s": loaded.per_s,
        **{f"p{p}_ms": _percentile(ordered, p) / 1e3 for p in (50, 95, 99)},
        "cpu_ms": sum(servers.values()) / loaded.count * 1e3,
        "cpu_ms_by_role": {role: used / loaded.count * 1e3 for role, used in servers.items()},
        "first_process_cpu_us_by_thread": {
            name: used / loaded.count * 1e6 for name, used in loaded.thread_cpu_s.items() if used
        },
        "generator_cores": loaded.cpu_s[GENERATOR] / loaded.seconds,
        "others_cores": loaded.cpu_s["others"] / loaded.seconds,
        "rate_counts": loaded.rate_counts,
        "rows_per_batch": rows_per_batch(loaded.samples),
    }


def _percentile(ordered: Sequence[int], percent: int) -> float:
    """Return the nearest-rank percentile."""
    return ordered[math.ceil(len(ordered) * percent / 100) - 1]


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")


def _end(_signal: int, _frame: FrameType | None) -> None:
    # As Ctrl-C does: every server and generator is ended on the way out.
    raise KeyboardInterrupt


def _plan() -> Plan:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=MIN_ROUNDS)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement")
    parser.add_argument("--quick", action="store_true", help="one round of one second each")
    parser.add_argument("--only", nargs="+", choices=SERVERS, default=SERVERS, help="servers")
    parser.add_argument("--models", nargs="+", choices=TITLES, default=tuple(TITLES))
    given = parser.parse_args()
    plan = Plan(
        servers=tuple(given.only),
        models=tuple(given.models),
        rounds=1 if given.quick else given.rounds,
        seconds=1.0 if given.quick else given.seconds,
    )
    if plan.rounds < 1 or plan.seconds <= 0 or plan.expected_s > _MAX_TOTAL_S:
        parser.error(
            f"this would take {plan.expected_s / 60:.0f} minutes; the bound is"
            f" {_MAX_TOTAL_S / 60:.0f}"
        )
    _say(f"about {plan.expected_s / 60:.0f} minutes")
    return plan


def main() -> None:
    plan = _plan()
    signal.signal(signal.SIGTERM, _end)
    generator = unary_generator()
    facts = circumstances()
    samples = run(plan, generator)
    result: dict[str, Any] = {
        "circumstances": facts,
        "peers": {peer.title: peer.versions for peer in PEERS},
        "generator": generator.name,
        "seconds": plan.seconds,
        "missing": samples.missing,
        "summary": summarise(samples.rounds),
        "rounds": samples.rounds,
    }
    text = serving_report.text(result)
    if plan.complete:
        write("serving", result, text)
        (FOLDER / "serving.svg").write_text(serving_chart.svg(result["summary"]), encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
