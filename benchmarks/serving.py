"""Serving figures of one one-thread node, against bare ONNX Runtime in the same run.

Machines are shared and drift, so rounds alternate bare loop and farm, and each farm round
is compared with the bare rounds just before and after it. A complete run writes
docs/benchmarks/serving.json and .md; a part (`--only`) is printed only.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks import models
from benchmarks.farm_process import FarmProcess, running_farm
from benchmarks.load import GENERATOR, MAX_GENERATOR_CORES
from benchmarks.processes import ACTOR, GATEWAY
from benchmarks.report import ROOT, circumstances, circumstances_text, shown, spread, table, write
from farm import zoo
from farm.client.codec import to_request

RATIO_TARGET: Final = 0.95
LATENCY_TARGET_MS: Final = 3.0
MIN_ROUNDS: Final = 5

DIGITS: Final = "digits"
PARTS: Final = ("mobilenet", "digits")
_CONCURRENCY: Final = 8
_DIGITS_CONCURRENCIES: Final = (1, 8, 64)
_BATCHES: Final = (1, 2, 4, 8)
_BATCHES_SECONDS: Final = 1.5

_WARMUP_S: Final = 1.0
# What a measuring process takes beside its measurement, and the farm's start and end.
_EXTRA_S: Final = 1.5
_FARM_S: Final = 30.0
_MAX_TOTAL_S: Final = 300.0
# Others' use of the machine, in cores, from which a figure is called noisy.
_NOISE_CORES: Final = 0.2


@dataclass(slots=True)
class Samples:
    """What each round gave. `bare` has one round more than `farm`: they alternate."""

    bare: list[dict[str, Any]] = field(default_factory=list)
    batches: dict[str, dict[str, float]] = field(default_factory=dict)
    farm: list[dict[str, Any]] = field(default_factory=list)
    digits: dict[int, list[dict[str, Any]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A farm that runs, and what is sent to it."""

    farm: FarmProcess
    folder: Path
    model: Path
    seconds: float

    def load(self, model: str, concurrency: int) -> dict[str, Any]:
        return _measure(
            "benchmarks.load",
            *("--address", self.farm.grpc, "--gateway-pid", str(self.farm.pid)),
            *("--request", str(self.folder / f"{model}.request")),
            *("--concurrency", str(concurrency)),
            *("--seconds", str(self.seconds), "--warmup", str(_WARMUP_S)),
        )

    def bare(self, *, batches: tuple[int, ...] = (1,), seconds: float) -> dict[str, Any]:
        return _measure(
            "benchmarks.bare",
            str(self.model),
            *("--seconds", str(seconds)),
            *("--batches", *map(str, batches)),
        )


def run(parts: tuple[str, ...], rounds: int, seconds: float) -> Samples:
    """Start a farm and measure; progress goes to stderr."""
    samples = Samples()
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        model = _repository(folder)
        with running_farm(folder / "models") as farm:
            bench = Bench(farm=farm, folder=folder, model=model, seconds=seconds)
            if "mobilenet" in parts:
                _mobilenet_rounds(bench, samples, rounds)
            if "digits" in parts:
                _digits_rounds(bench, samples, rounds)
    return samples


def _repository(folder: Path) -> Path:
    """Write the models and the requests; return the large model's path."""
    repository = folder / "models"
    model = models.write_mobilenetv2_sized(repository).path
    shutil.copytree(zoo.models_dir() / DIGITS, repository / DIGITS)
    generator = np.random.default_rng(0)
    with np.load(zoo.heldout_digits_path(), allow_pickle=False) as archive:
        digit = archive["images"][:1].astype(np.float32)
    images = {
        models.NAME: generator.standard_normal((1, *models.INPUT_SHAPE)).astype(np.float32),
        DIGITS: digit,
    }
    for name, image in images.items():
        request = to_request(name, {"image": image}, version="", outputs=(), request_id="")
        (folder / f"{name}.request").write_bytes(request.SerializeToString())
    return model


def _mobilenet_rounds(bench: Bench, samples: Samples, rounds: int) -> None:
    samples.batches = bench.bare(batches=_BATCHES, seconds=_BATCHES_SECONDS)

    def bare() -> None:
        samples.bare.append(bench.bare(seconds=bench.seconds)["1"])
        _say(f"bare loop {samples.bare[-1]['per_s']:.1f} items/s")

    bare()
    for _ in range(rounds):
        samples.farm.append(bench.load(models.NAME, _CONCURRENCY))
        _say(f"farm c={_CONCURRENCY} {samples.farm[-1]['per_s']:.1f} items/s")
        bare()


def _digits_rounds(bench: Bench, samples: Samples, rounds: int) -> None:
    for _ in range(rounds):
        for concurrency in _DIGITS_CONCURRENCIES:
            got = bench.load(DIGITS, concurrency)
            samples.digits.setdefault(concurrency, []).append(got)
            _say(
                f"digits c={concurrency} {got['per_s']:.0f}/s p50 {got['p50_ms']:.2f} ms"
                f" p95 {got['p95_ms']:.2f} ms"
            )


def _measure(module: str, *arguments: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=_MAX_TOTAL_S,
    )
    return json.loads(done.stdout)


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")


def summarise(samples: Samples) -> dict[str, Any]:
    """Return figures with their spread over the rounds."""
    summary: dict[str, Any] = {}
    if samples.farm:
        neighbours = [
            (before["per_s"] + after["per_s"]) / 2
            for before, after in zip(samples.bare, samples.bare[1:], strict=False)
        ]
        ratio = spread(
            got["per_s"] / bare for got, bare in zip(samples.farm, neighbours, strict=True)
        )
        summary["mobilenet"] = {
            "ratio": {**ratio, "target": RATIO_TARGET, "met": ratio["median"] >= RATIO_TARGET},
            "bare_per_s": spread(got["per_s"] for got in samples.bare),
            "bare_by_batch_per_s": {
                batch: float(f"{got['per_s']:.4g}") for batch, got in samples.batches.items()
            },
            "bare_others_cores": spread(got["others_cores"] for got in samples.bare),
            "bare_cpu_ms": spread(got["cpu_ms_per_item"] for got in samples.bare),
            "farm": _load_summary(samples.farm),
        }
    if samples.digits:
        p50 = spread(got["p50_ms"] for got in samples.digits[1])
        met = p50["median"] <= LATENCY_TARGET_MS
        summary["digits"] = {
            "p50_ms": {**p50, "target": LATENCY_TARGET_MS, "met": met},
            "by_concurrency": {str(c): _load_summary(got) for c, got in samples.digits.items()},
        }
    return summary


def _load_summary(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    def over(pick: Callable[[dict[str, Any]], float]) -> dict[str, Any]:
        return spread(pick(got) for got in rounds)

    return {
        **{key: over(lambda got, key=key: got[key]) for key in _LOAD_FIGURES},
        "cpu_ms_per_request": {
            role: over(lambda got, role=role: got["cpu_ms_per_request"].get(role, 0.0))
            for role in rounds[0]["cpu_ms_per_request"]
        },
        "cores": {
            role: over(lambda got, role=role: got["cores"].get(role, 0.0))
            for role in (GENERATOR, GATEWAY, ACTOR, "others")
        },
        "rate_counts": all(got["rate_counts"] for got in rounds),
    }


_LOAD_FIGURES: Final = ("per_s", "p50_ms", "p95_ms", "p99_ms", "rows_per_batch", "node_ms_per_row")


def text(result: dict[str, Any]) -> str:
    """Return the report as Markdown."""
    mobilenet, digits = result["mobilenet"], result["digits"]
    ratio, p50 = mobilenet["ratio"], digits["p50_ms"]
    rounds = result["rounds"]
    header = ("figure", "target", "median", "min..max", "verdict")
    verdicts = [
        (
            f"MobileNetV2-sized, concurrency {_CONCURRENCY}: items/s of the farm / of the bare"
            " ONNX Runtime loop",
            f">= {RATIO_TARGET}",
            *shown(ratio, "{:.3f}"),
            _verdict(ratio["met"], rounds),
        ),
        (
            "digits, concurrency 1: p50 latency, ms",
            f"<= {LATENCY_TARGET_MS:g}",
            *shown(p50, "{:.2f}"),
            _verdict(p50["met"], rounds),
        ),
    ]
    for_information = [
        ("bare loop, batch 1, items/s", "", *shown(mobilenet["bare_per_s"], "{:.1f}"), ""),
        *_load_rows(f"MobileNetV2-sized c={_CONCURRENCY}", mobilenet["farm"]),
        *(
            row
            for concurrency, load in digits["by_concurrency"].items()
            for row in _load_rows(f"digits c={concurrency}", load)
        ),
    ]
    by_batch = ", ".join(f"{b}: {v:g}" for b, v in mobilenet["bare_by_batch_per_s"].items())
    return (
        "# Serving\n\n"
        "One node, one thread, gateway and load generator on the same machine.\n"
        f"{rounds} alternating rounds of {result['seconds']:g} s; the ratio compares each farm"
        " round with the mean of the bare rounds before and after it.\n\n"
        f"{table(header, verdicts)}\n\n"
        f"{_noise(result)}\n\n"
        "## For information\n\n"
        f"{table(('figure', '', 'median', 'min..max', ''), for_information)}\n\n"
        f"Bare loop by batch size, items/s, once: {by_batch}.\n\n"
        "## Circumstances\n\n"
        f"{circumstances_text(result['circumstances'])}\n"
        "Again: `python -m benchmarks.serving`. Every round's value is in `serving.json`.\n"
    )


def _load_rows(name: str, load: dict[str, Any]) -> list[tuple[str, ...]]:
    cpu = load["cpu_ms_per_request"]
    rate = "" if load["rate_counts"] else f"generator over {MAX_GENERATOR_CORES:.0%} of a core"
    return [
        (f"{name}: requests/s", "", *shown(load["per_s"], "{:.0f}"), rate),
        (f"{name}: p50, ms", "", *shown(load["p50_ms"], "{:.2f}"), ""),
        (f"{name}: p95, ms", "", *shown(load["p95_ms"], "{:.2f}"), ""),
        (f"{name}: rows a batch", "", *shown(load["rows_per_batch"], "{:.1f}"), ""),
        (f"{name}: node's ms a row", "", *shown(load["node_ms_per_row"], "{:.2f}"), ""),
        (f"{name}: gateway CPU ms a request", "", *shown(cpu[GATEWAY], "{:.3f}"), ""),
        (f"{name}: actor CPU ms a request", "", *shown(cpu[ACTOR], "{:.3f}"), ""),
        (f"{name}: generator CPU ms a request", "", *shown(cpu[GENERATOR], "{:.3f}"), ""),
    ]


def _verdict(met: bool, rounds: int) -> str:
    if rounds < MIN_ROUNDS:
        return f"none: fewer than {MIN_ROUNDS} rounds"
    return "met" if met else "missed"


def _noise(result: dict[str, Any]) -> str:
    loads = [result["mobilenet"]["farm"], *result["digits"]["by_concurrency"].values()]
    others = [
        result["mobilenet"]["bare_others_cores"]["median"],
        *(load["cores"]["others"]["median"] for load in loads),
    ]
    worst = max(others)
    judged = "noisy: take it again on a quiet machine" if worst > _NOISE_CORES else "quiet"
    return f"Other work on the machine used at most {worst:.2f} cores (medians): {judged}."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=MIN_ROUNDS)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement")
    parser.add_argument("--only", choices=PARTS, help="measure a part and write no file")
    given = parser.parse_args()
    parts = (given.only,) if given.only else PARTS
    loads = given.rounds * (len(_DIGITS_CONCURRENCIES) * ("digits" in parts))
    loads += (2 * given.rounds + 1) * ("mobilenet" in parts)
    expected_s = _FARM_S + loads * (given.seconds + _WARMUP_S + _EXTRA_S)
    if given.rounds < 1 or given.seconds <= 0 or expected_s > _MAX_TOTAL_S:
        parser.error(f"this would take {expected_s:.0f} s; the bound is {_MAX_TOTAL_S:.0f} s")
    facts = circumstances()
    summary = summarise(run(parts, given.rounds, given.seconds))
    result = {
        "circumstances": facts,
        "rounds": given.rounds,
        "seconds": given.seconds,
        **summary,
    }
    if given.only:
        print(json.dumps(result, indent=1))
        return
    write("serving", result, text(result))
    print(text(result))


if __name__ == "__main__":
    main()
