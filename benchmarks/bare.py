"""The bare ONNX Runtime loop: no server, one thread that does not spin, one fixed input.

Prints one JSON object. Run by `benchmarks.serving`.
"""

import argparse
import json
import os
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.peers.onnx_models import open_session
from benchmarks.processes import CpuReading

_SELF = "bare"
_WARMUP_RUNS = 2


def measure(model: Path, batches: list[int], seconds: float) -> dict[str, Any]:
    """Run `model` for `seconds` at each batch size."""
    session = open_session(model)
    given = session.get_inputs()[0]
    generator = np.random.default_rng(0)
    results = {}
    for batch in batches:
        image = generator.standard_normal((batch, *given.shape[1:])).astype(np.float32)
        results[str(batch)] = _loop(session, {given.name: image}, batch, seconds)
    return results


def _loop(session: Any, feeds: dict[str, Any], batch: int, seconds: float) -> dict[str, float]:
    for _ in range(_WARMUP_RUNS):
        session.run(None, feeds)
    watched = {os.getpid(): _SELF}
    before, started, runs = CpuReading.take(watched), perf_counter(), 0
    while (elapsed := perf_counter() - started) < seconds:
        session.run(None, feeds)
        runs += 1
    cpu = CpuReading.take(watched).since(before)
    items = runs * batch
    return {
        "per_s": items / elapsed,
        "cpu_ms_per_item": cpu[_SELF] / items * 1e3,
        "cores": cpu[_SELF] / elapsed,
        "others_cores": cpu["others"] / elapsed,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--batches", type=int, nargs="+", default=[1])
    parser.add_argument("--seconds", type=float, default=5.0)
    given = parser.parse_args()
    print(json.dumps(measure(given.model, given.batches, given.seconds)))


if __name__ == "__main__":
    main()
