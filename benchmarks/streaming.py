"""Requests/s over one stream against unary calls, same model, same number in flight.

Machines are shared and drift, so rounds alternate unary and stream, and each stream round
is compared with the unary rounds just before and after it. Writes
docs/benchmarks/streaming.json and .md.
"""

import argparse
import shutil
import sys
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.farm_process import running_farm
from benchmarks.generators import (
    GENERATOR,
    MAX_GENERATOR_CORES,
    PYTHON_STREAM,
    PYTHON_UNARY,
    Generator,
    Loaded,
    Target,
    load,
)
from benchmarks.processes import ACTOR, GATEWAY, roles
from benchmarks.report import circumstances, circumstances_text, shown, spread, table, write
from benchmarks.subjects import rows_per_batch
from farm import zoo
from farm.client.codec import to_request
from farm.pb.open_inference_pb2 import ModelStreamInferResponse

RATIO_TARGET: Final = 1.3
MIN_ROUNDS: Final = 5
CONCURRENCY: Final = 64

_DIGITS: Final = "digits"
_WARMUP_S: Final = 1.0
# The same language for both: it is the two ways to call that are compared.
_GENERATORS: Final = {"unary": PYTHON_UNARY, "stream": PYTHON_STREAM}


def run(rounds: int, seconds: float) -> dict[str, list[dict[str, Any]]]:
    """Start a farm and measure; unary has one round more than the stream: they alternate."""
    samples: dict[str, list[dict[str, Any]]] = {kind: [] for kind in _GENERATORS}
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        shutil.copytree(zoo.models_dir() / _DIGITS, folder / "models" / _DIGITS)
        request = folder / "digits.request"
        request.write_bytes(_request())
        with running_farm(folder / "models") as farm:
            target = Target(address=farm.grpc, pid=farm.pid, roles=roles(farm.pid))

            def measure(kind: str) -> None:
                samples[kind].append(_measured(_GENERATORS[kind], target, request, seconds))
                sys.stderr.write(f"{kind} {samples[kind][-1]['per_s']:.0f}/s\n")

            measure("unary")
            for _ in range(rounds):
                measure("stream")
                measure("unary")
    return samples


def _request() -> bytes:
    with np.load(zoo.heldout_digits_path(), allow_pickle=False) as archive:
        digit = archive["images"][:1].astype(np.float32)
    request = to_request(_DIGITS, {"image": digit}, version="", outputs=(), request_id="")
    return request.SerializeToString()


def _measured(
    generator: Generator, target: Target, request: Path, seconds: float
) -> dict[str, Any]:
    loaded = load(
        generator,
        target,
        request,
        concurrency=CONCURRENCY,
        seconds=seconds,
        warmup=_WARMUP_S,
    )
    return {
        "per_s": loaded.per_s,
        "rows_per_batch": _rows_per_batch(generator, loaded),
        "cpu_ms_per_request": {
            role: used / loaded.count * 1e3 for role, used in loaded.cpu_s.items()
        },
        "others_cores": loaded.cpu_s["others"] / loaded.seconds,
        "rate_counts": loaded.rate_counts,
    }


def _rows_per_batch(generator: Generator, loaded: Loaded) -> float:
    replies = loaded.samples
    if generator is PYTHON_STREAM:
        answers = [ModelStreamInferResponse.FromString(sample) for sample in loaded.samples]
        if any(answer.error_message for answer in answers):
            raise RuntimeError("an answer of the stream is an error")
        replies = tuple(answer.infer_response.SerializeToString() for answer in answers)
    rows = rows_per_batch(replies)
    if rows is None:
        raise RuntimeError("no reply has a receipt")
    return rows


def summarise(samples: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Return figures with their spread over the rounds."""
    unary = samples["unary"]
    neighbours = [(before["per_s"] + after["per_s"]) / 2 for before, after in pairwise(unary)]
    ratio = spread(
        got["per_s"] / unary_per_s
        for got, unary_per_s in zip(samples["stream"], neighbours, strict=True)
    )
    return {
        "ratio": {**ratio, "target": RATIO_TARGET, "met": ratio["median"] >= RATIO_TARGET},
        "unary": _summary(unary),
        "stream": _summary(samples["stream"]),
    }


def _summary(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        **{name: spread(got[name] for got in rounds) for name in ("per_s", "rows_per_batch")},
        "cpu_ms_per_request": {
            role: spread(got["cpu_ms_per_request"].get(role, 0.0) for got in rounds)
            for role in (GENERATOR, GATEWAY, ACTOR)
        },
        "others_cores": spread(got["others_cores"] for got in rounds),
        "rate_counts": all(got["rate_counts"] for got in rounds),
    }


def text(result: dict[str, Any]) -> str:
    """Return the report as Markdown."""
    ratio, rounds = result["ratio"], result["rounds"]
    verdict = "met" if ratio["met"] else "missed"
    if rounds < MIN_ROUNDS:
        verdict = f"none: fewer than {MIN_ROUNDS} rounds"
    row = (
        f"digits, {CONCURRENCY} in flight: requests/s of one stream / of unary calls",
        f">= {RATIO_TARGET}",
        *shown(ratio, "{:.2f}"),
        verdict,
    )
    others = max(result[kind]["others_cores"]["median"] for kind in ("unary", "stream"))
    return (
        "# Streaming\n\n"
        "One node, one thread, gateway and load generator on the same machine.\n"
        f"{rounds} alternating rounds of {result['seconds']:g} s; each stream round is compared"
        " with the mean of the unary rounds before and after it.\n\n"
        f"{table(('figure', 'target', 'median', 'min..max', 'verdict'), [row])}\n\n"
        f"Other work on the machine used at most {others:.2f} cores (medians).\n\n"
        "## For information\n\n"
        f"{table(('figure', 'median', 'min..max', ''), _rows(result))}\n\n"
        "## Circumstances\n\n"
        f"{circumstances_text(result['circumstances'])}\n"
        "Again: `python -m benchmarks.streaming`. Every round's value is in `streaming.json`.\n"
    )


def _rows(result: dict[str, Any]) -> list[tuple[str, ...]]:
    rows = []
    for kind in ("unary", "stream"):
        got = result[kind]
        note = "" if got["rate_counts"] else f"generator over {MAX_GENERATOR_CORES:.0%} of a core"
        rows.append((f"{kind}: requests/s", *shown(got["per_s"], "{:.0f}"), note))
        rows.append((f"{kind}: rows a batch", *shown(got["rows_per_batch"], "{:.1f}"), ""))
        rows.extend(
            (f"{kind}: {role} CPU ms a request", *shown(used, "{:.3f}"), "")
            for role, used in got["cpu_ms_per_request"].items()
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=MIN_ROUNDS, choices=range(1, 21))
    parser.add_argument("--seconds", type=float, default=5.0, help="of each round, at most 30")
    given = parser.parse_args()
    if not 0 < given.seconds <= 30:
        parser.error("--seconds must be more than 0 and at most 30")
    facts = circumstances()
    result = {
        "circumstances": facts,
        "rounds": given.rounds,
        "seconds": given.seconds,
        **summarise(run(given.rounds, given.seconds)),
    }
    if given.rounds >= MIN_ROUNDS:
        write("streaming", result, text(result))
    print(text(result))


if __name__ == "__main__":
    main()
