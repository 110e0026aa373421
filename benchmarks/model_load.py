"""How long a load of one small model takes on three local nodes, from call to answer.

Each load is of a model that no node has seen, so files travel, a child process tries them,
and all nodes switch over together. Writes docs/benchmarks/model_load.json and .md.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import grpc
import numpy as np

from benchmarks.farm_process import running_farm
from benchmarks.report import circumstances, circumstances_text, shown, spread, table, write
from benchmarks.small_models import write_small_model
from farm.client import FarmClient
from farm.client.channel import inference_methods
from farm.pb.open_inference_pb2 import RepositoryModelLoadRequest

NODES: Final = 3
TARGET_S: Final = 3.0
_TIMEOUT_S: Final = 60.0
_SEED: Final = 1


def run(loads: int) -> list[float]:
    """Start a farm without models; return the seconds of each load, the first one cold."""
    generator = np.random.default_rng(_SEED)
    method = inference_methods()["RepositoryModelLoad"]
    taken = []
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        repository = Path(name)
        with (
            running_farm(repository, nodes=NODES) as farm,
            grpc.insecure_channel(farm.grpc) as channel,
            FarmClient(farm.grpc) as client,
        ):
            load = channel.unary_unary(method.path)
            for number in range(loads):
                model = f"small-{number}"
                write_small_model(repository / model, generator)
                request = RepositoryModelLoadRequest(model_name=model).SerializeToString()
                started = time.perf_counter()
                load(request, timeout=_TIMEOUT_S)
                taken.append(time.perf_counter() - started)
                client.infer(model, {"x": np.zeros((1, 16), dtype=np.float32)})
                sys.stderr.write(f"load {number + 1}: {taken[-1]:.2f} s\n")
    return taken


def text(result: dict[str, Any]) -> str:
    """Return the report as Markdown."""
    rows = [
        (
            "the first load of a farm, s",
            f"<= {TARGET_S:g}",
            f"{result['first_s']:.2f}",
            "",
            "met" if result["first_s"] <= TARGET_S else "missed",
        ),
        (
            "later loads, s",
            f"<= {TARGET_S:g}",
            *shown(result["later_s"], "{:.2f}"),
            "met" if result["later_s"]["max"] <= TARGET_S else "missed",
        ),
    ]
    return (
        f"# Loading one small model on {NODES} local nodes\n\n"
        "From the call to its answer, each time another model of 4 kB. A request to the model"
        " is answered right after.\n\n"
        f"{table(('figure', 'target', 'median', 'min..max', 'verdict'), rows)}\n\n"
        "## Circumstances\n\n"
        f"{circumstances_text(result['circumstances'])}\n"
        "Again: `python -m benchmarks.model_load`.\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--loads", type=int, default=6, choices=range(2, 51))
    given = parser.parse_args()
    facts = circumstances()
    first, *later = run(given.loads)
    result = {
        "circumstances": facts,
        "nodes": NODES,
        "target_s": TARGET_S,
        "first_s": float(f"{first:.4g}"),
        "later_s": spread(later),
    }
    write("model_load", result, text(result))
    print(text(result))


if __name__ == "__main__":
    main()
