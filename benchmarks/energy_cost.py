"""What energy, cost and the ledger take of the gateway's CPU for each request.

Two farms of one node run side by side, one of them without its accounting; load goes to one at
a time, in alternating rounds, and each round without is compared with those with it before and
after. Writes docs/benchmarks/energy_cost.json and .md.
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
from benchmarks.generators import PYTHON_UNARY, Target, load
from benchmarks.processes import GATEWAY, roles
from benchmarks.report import circumstances, circumstances_text, shown, spread, table, write
from farm import zoo
from farm.client.codec import to_request

RATIO_TARGET: Final = 1.05
MIN_ROUNDS: Final = 5
CONCURRENCIES: Final = (1, 64)

_DIGITS: Final = "digits"
_WARMUP_S: Final = 1.0
# So that money is reckoned too.
_PRICES: Final = {
    "FARM_POWER__CURRENCY": "USD",
    "FARM_POWER__PRICE_PER_KWH": "0.16",
    "FARM_NODE__BOARD_PRICE": "100",
}
_MODULES: Final = {"with": "farm", "without": "benchmarks.unaccounted"}


def run(rounds: int, seconds: float) -> dict[int, dict[str, list[float]]]:
    """Return the gateway's CPU seconds a request by concurrency, with and without."""
    samples: dict[int, dict[str, list[float]]] = {
        concurrency: {kind: [] for kind in _MODULES} for concurrency in CONCURRENCIES
    }
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        shutil.copytree(zoo.models_dir() / _DIGITS, folder / "models" / _DIGITS)
        request = folder / "digits.request"
        request.write_bytes(_request())
        with (
            running_farm(folder / "models", module=_MODULES["with"], **_PRICES) as full,
            running_farm(folder / "models", module=_MODULES["without"], **_PRICES) as bare,
        ):
            targets = {
                kind: Target(address=farm.grpc, pid=farm.pid, roles=roles(farm.pid))
                for kind, farm in (("with", full), ("without", bare))
            }

            def measure(kind: str, concurrency: int) -> None:
                loaded = load(
                    PYTHON_UNARY,
                    targets[kind],
                    request,
                    concurrency=concurrency,
                    seconds=seconds,
                    warmup=_WARMUP_S,
                )
                used_s = loaded.cpu_s[GATEWAY] / loaded.count
                samples[concurrency][kind].append(used_s)
                sys.stderr.write(f"c={concurrency} {kind} {used_s * 1e6:.0f} us\n")

            for concurrency in CONCURRENCIES:
                measure("with", concurrency)
                for _ in range(rounds):
                    measure("without", concurrency)
                    measure("with", concurrency)
    return samples


def _request() -> bytes:
    with np.load(zoo.heldout_digits_path(), allow_pickle=False) as archive:
        digit = archive["images"][:1].astype(np.float32)
    request = to_request(_DIGITS, {"image": digit}, version="", outputs=(), request_id="")
    return request.SerializeToString()


def summarise(samples: dict[int, dict[str, list[float]]]) -> list[dict[str, Any]]:
    """Return the ratios and the CPU of each concurrency, with their spread over the rounds."""
    found = []
    for concurrency, kinds in samples.items():
        neighbours = [(before + after) / 2 for before, after in pairwise(kinds["with"])]
        ratios = [full / bare for full, bare in zip(neighbours, kinds["without"], strict=True)]
        found.append(
            {
                "concurrency": concurrency,
                "ratio": spread(ratios),
                **{kind: spread(s * 1e6 for s in seconds) for kind, seconds in kinds.items()},
            }
        )
    return found


def text(result: dict[str, Any]) -> str:
    """Return the report as Markdown."""
    enough = result["rounds"] >= MIN_ROUNDS
    rows, information = [], []
    for each in result["figures"]:
        at = f"{each['concurrency']} in flight"
        met = "met" if each["ratio"]["median"] <= RATIO_TARGET else "missed"
        rows.append(
            (
                f"{at}: with / without",
                f"<= {RATIO_TARGET}",
                *shown(each["ratio"], "{:.3f}"),
                met if enough else f"none: fewer than {MIN_ROUNDS} rounds",
            )
        )
        information += [
            (f"{at}, {kind}: us a request", *shown(each[kind], "{:.0f}")) for kind in _MODULES
        ]
    return (
        "# What accounting takes of the gateway\n\n"
        "CPU seconds a request of the gateway's process, digits model, one node of one thread:"
        " with energy, cost and ledger as shipped, and with all of that taken out of the process."
        f" {result['rounds']} alternating rounds of {result['seconds']:g} s.\n\n"
        f"{table(('figure', 'target', 'median', 'min..max', 'verdict'), rows)}\n\n"
        f"{table(('for information', 'median', 'min..max'), information)}\n\n"
        "## Circumstances\n\n"
        f"{circumstances_text(result['circumstances'])}\n"
        "Again: `python -m benchmarks.energy_cost`.\n"
    )


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
        "figures": summarise(run(given.rounds, given.seconds)),
    }
    if given.rounds >= MIN_ROUNDS:
        write("energy_cost", result, text(result))
    print(text(result))


if __name__ == "__main__":
    main()
