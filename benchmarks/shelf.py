"""How long a shelf takes from bare hosts to its first answer, and what a node takes then.

Bootstraps hosts of the lab (`tests/lab`), so it needs root and what `make lab-install` brings.
The wheelhouse is warm: fetching it depends on the network. Writes docs/benchmarks/shelf.json
and .md.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.report import ROOT, circumstances, circumstances_text, shown, spread, table, write

sys.path.insert(0, str(ROOT / "tests" / "lab"))

from lab import Host, Lab
from lab.terms import cache

FIRST_S: Final = 240.0
AGAIN_S: Final = 10.0
SIX_TO_TWO: Final = 1.5
NODE_MB: Final = 280.0

# Of this machine's two cores, so that six hosts have what they would have on a shelf.
_SHARE: Final = 0.3
_TIMEOUT_S: Final = 1800.0
_SETTLE_S: Final = 20.0

# Every process of the farm's user on a host, its supervisor included, in KiB.
_PSS: Final = (
    "for pid in $(pgrep -u farm); do"
    " awk '/^Pss:/{print $2}' /proc/$pid/smaps_rollup 2>/dev/null; done"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One `farm bootstrap`: how long it took and how much it changed."""

    seconds: float
    changes: int


def bootstrap(lab: Lab, inventory: Path) -> Run:
    """Run it to its end, which is the first answered request.

    Raises:
        RuntimeError: a host failed.
    """
    began = time.perf_counter()
    done = _farm(lab, "bootstrap", "-i", str(inventory), "--output", "json")
    seconds = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(f"farm bootstrap ended with {done.returncode}: {done.stderr[-2000:]}")
    hosts = json.loads(done.stdout)["run"]["hosts"]
    return Run(seconds=seconds, changes=sum(len(host["changes"]) for host in hosts))


def bare_shelf(lab: Lab, count: int, **hardware: float) -> tuple[Sequence[Host], Path]:
    """Return so many bare hosts, trusted, the first of them the head."""
    hosts = lab.bare(count, memory_mb=2048, **hardware)
    inventory = lab.write_inventory(head=hosts[0], nodes=hosts[1:])
    lab.home.mkdir(exist_ok=True)
    if _farm(lab, "hosts", "trust", "-i", str(inventory), "--yes").returncode:
        raise RuntimeError("the hosts' keys were not taken")
    return hosts, inventory


def node_mb(host: Host) -> float:
    """Return the PSS of all that the farm runs on a host, in MB of 2**20 bytes."""
    return sum(int(kib) for kib in host.shell(_PSS).split()) / 1024


def _farm(lab: Lab, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "FARM_HOME": str(lab.home),
        "FARM_CACHE": str(cache() / "supplies"),
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
    }
    return subprocess.run(
        [sys.executable, "-m", "farm", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def measure(rounds: int) -> dict[str, Any]:
    """Return seconds and megabytes, with their spread over the rounds."""
    with Lab("benchwarm") as lab:
        bootstrap(lab, bare_shelf(lab, 2)[1])
    first, again, changes, memory, two, six = [], [], [], [], [], []
    for number in range(rounds):
        with Lab("bench") as lab:
            hosts, inventory = bare_shelf(lab, 3)
            first.append(bootstrap(lab, inventory).seconds)
            second = bootstrap(lab, inventory)
            again.append(second.seconds)
            changes.append(second.changes)
            time.sleep(_SETTLE_S)
            memory += [node_mb(host) for host in hosts[1:]]
        for count, times in ((2, two), (6, six)) if number % 2 == 0 else ((6, six), (2, two)):
            with Lab("bench") as lab:
                times.append(bootstrap(lab, bare_shelf(lab, count, cpus=_SHARE)[1]).seconds)
        sys.stderr.write(
            f"round {number + 1}: first {first[-1]:.0f} s, again {again[-1]:.1f} s,"
            f" two {two[-1]:.0f} s, six {six[-1]:.0f} s, node {memory[-1]:.0f} MB\n"
        )
    return {
        "rounds": rounds,
        "first_s": spread(first),
        "again_s": spread(again),
        "again_changes": changes,
        "two_s": spread(two),
        "six_s": spread(six),
        "six_to_two": spread(b / a for a, b in zip(two, six, strict=True)),
        "node_mb": spread(memory),
    }


def text(result: dict[str, Any]) -> str:
    """Return the report as Markdown."""

    def row(what: str, key: str, pattern: str, target: float) -> tuple[str, ...]:
        verdict = "met" if result[key]["median"] <= target else "missed"
        return what, f"<= {target:g}", *shown(result[key], pattern), verdict

    changes = result["again_changes"]
    rows = [
        row("three bare hosts to the first answered request, s", "first_s", "{:.0f}", FIRST_S),
        row("a second run, s", "again_s", "{:.1f}", AGAIN_S),
        (
            "its changes",
            "0",
            str(max(changes)),
            f"{min(changes)}..{max(changes)}",
            "missed" if any(changes) else "met",
        ),
        row("six hosts / two hosts, wall time", "six_to_two", "{:.2f}", SIX_TO_TWO),
        row("a node with two models, supervisor included; PSS, MB", "node_mb", "{:.0f}", NODE_MB),
    ]
    information = [
        (f"two hosts of {_SHARE:g} cores each, s", *shown(result["two_s"], "{:.0f}")),
        (f"six hosts of {_SHARE:g} cores each, s", *shown(result["six_s"], "{:.0f}")),
    ]
    return (
        "# From bare hosts to a farm\n\n"
        f"{result['rounds']} rounds of `farm bootstrap` over SSH on x86-64 hosts of the lab, with a"
        " warm wheelhouse. All hosts, the operator's machine among them, share this machine's"
        " cores; for six against two each host is held to a part of a core, so that six have what"
        " they would have on a shelf. MB are 2**20 bytes.\n\n"
        f"{table(('figure', 'target', 'median', 'min..max', 'verdict'), rows)}\n\n"
        f"{table(('for information', 'median', 'min..max'), information)}\n\n"
        "## Circumstances\n\n"
        f"{circumstances_text(result['circumstances'])}\n"
        "Again: `python -m benchmarks.shelf`, as root.\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, choices=range(1, 6))
    given = parser.parse_args()
    facts = circumstances()
    result = {"circumstances": facts, **measure(given.rounds)}
    write("shelf", result, text(result))
    print(text(result))


if __name__ == "__main__":
    main()
