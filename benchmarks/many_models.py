"""A repository of many small models: how long until it is served, and in how much memory.

Starts farms of one node on a repository of small models, waits for the ready line and then
for an answer of every model, and sums the proportional set sizes (PSS) of all processes.
Writes docs/benchmarks/many_models.json and .md.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import numpy as np
import psutil

from benchmarks.farm_process import running_farm
from benchmarks.processes import roles
from benchmarks.report import circumstances, circumstances_text, shown, spread, table, write
from benchmarks.small_models import write_small_models
from farm.client import FarmClient

MODELS: Final = 150
TARGET_S: Final = 60.0
TARGET_MB: Final = 1024.0

_MB: Final = 1 << 20
_MAX_STARTS: Final = 5
# Curves are measured after the farm is ready; the figure after them is for information.
_SETTLE_S: Final = 60.0


def take(models: int, settle_s: float) -> dict[str, Any]:
    """Start a farm on `models` models; return seconds and megabytes (2**20 bytes)."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        repository = Path(name)
        names = write_small_models(repository, models)
        started = time.perf_counter()
        with running_farm(repository) as farm:
            ready_s = time.perf_counter() - started
            by_role = pss(farm.pid)
            _answer_of_each(farm.grpc, names)
            time.sleep(settle_s)
            later = pss(farm.pid)
    return {
        "ready_s": ready_s,
        "pss_mb": by_role,
        "whole_mb": sum(by_role.values()),
        "whole_later_mb": sum(later.values()),
    }


def pss(gateway_pid: int) -> dict[str, float]:
    """Return megabytes by role, of the farm's process and all below it."""
    by_role: dict[str, float] = {}
    for pid, role in roles(gateway_pid).items():
        try:
            held = psutil.Process(pid).memory_full_info().pss / _MB
        except psutil.NoSuchProcess:
            continue
        by_role[role] = by_role.get(role, 0.0) + held
    return by_role


def _answer_of_each(address: str, names: list[str]) -> None:
    """Make sure that ready meant ready: every model answers."""
    with FarmClient(address) as client:
        for name in names:
            answer = client.infer(name, {"x": np.zeros((1, 16), dtype=np.float32)})
            if answer["y"].shape != (1, 8):
                raise RuntimeError(f"model {name} gave another shape than it should")


def summarise(samples: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the figures with their spread over the starts."""
    figures = {
        name: spread(got[name] for got in samples)
        for name in ("ready_s", "whole_mb", "whole_later_mb")
    }
    every = sorted({role for got in samples for role in got["pss_mb"]})
    return {
        **figures,
        "pss_mb": {role: spread(got["pss_mb"].get(role, 0.0) for got in samples) for role in every},
        "ready_met": figures["ready_s"]["median"] <= TARGET_S,
        "memory_met": figures["whole_mb"]["median"] <= TARGET_MB,
    }


def text(result: dict[str, Any]) -> str:
    """Return the report as Markdown."""
    rows = [
        (
            "until the ready line, s",
            f"<= {TARGET_S:g}",
            *shown(result["ready_s"], "{:.1f}"),
            "met" if result["ready_met"] else "missed",
        ),
        (
            "all processes when ready; PSS, MB",
            f"<= {TARGET_MB:g}",
            *shown(result["whole_mb"], "{:.0f}"),
            "met" if result["memory_met"] else "missed",
        ),
        (
            f"{result['settle_s']:g} s later, every model asked once; PSS, MB",
            "",
            *shown(result["whole_later_mb"], "{:.0f}"),
            "",
        ),
    ]
    processes = [
        (role, *shown(values, "{:.1f}"))
        for role, values in sorted(result["pss_mb"].items(), key=lambda item: -item[1]["median"])
    ]
    return (
        f"# A repository of {result['models']} small models\n\n"
        f"{result['starts']} starts of a farm with one node, gateway and Ray's head included."
        " Each model is another file of 4 kB without a config. MB are 2**20 bytes.\n\n"
        f"{table(('figure', 'target', 'median', 'min..max', 'verdict'), rows)}\n\n"
        "## By process when ready, PSS in MB\n\n"
        f"{table(('process', 'median', 'min..max'), processes)}\n\n"
        "## Circumstances\n\n"
        f"{circumstances_text(result['circumstances'])}\n"
        "Again: `python -m benchmarks.many_models`.\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=MODELS)
    parser.add_argument("--starts", type=int, default=3, choices=range(1, _MAX_STARTS + 1))
    parser.add_argument("--settle", type=float, default=_SETTLE_S, help="seconds, at most 120")
    given = parser.parse_args()
    if not 0 <= given.settle <= 120:
        parser.error("--settle must be 0 to 120 seconds")
    facts = circumstances()
    samples = []
    for _ in range(given.starts):
        samples.append(take(given.models, given.settle))
        sys.stderr.write(
            f"ready in {samples[-1]['ready_s']:.1f} s, {samples[-1]['whole_mb']:.0f} MB PSS\n"
        )
    result = {
        "circumstances": facts,
        "models": given.models,
        "starts": given.starts,
        "settle_s": given.settle,
        **summarise(samples),
    }
    if given.models == MODELS:
        write("many_models", result, text(result))
    print(text(result))


if __name__ == "__main__":
    main()
