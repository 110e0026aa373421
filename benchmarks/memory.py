"""What a node with its Ray processes takes in memory before it has a model.

Starts farms of one node on an empty repository and sums the proportional set sizes (PSS)
of the processes that a Pi would run. Writes docs/benchmarks/memory.json and .md.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import psutil

from benchmarks.farm_process import running_farm
from benchmarks.processes import ACTOR, GATEWAY, IDLE_WORKER, REAPER, roles
from benchmarks.report import circumstances, circumstances_text, shown, spread, table, write

TARGET_MB: Final = 260.0

# What every node runs. `ray start` adds a log monitor unless --include-log-monitor=false.
NODE: Final = ("raylet", "dashboard agent", "runtime-env agent", ACTOR)
LOG_MONITOR: Final = "log monitor"
HEAD: Final = (GATEWAY, "gcs server", "api server", "autoscaler monitor", REAPER)

_MB: Final = 1 << 20
# Ray ends a worker it does not need within a second or two.
_SETTLE_S: Final = 10.0
_MAX_STARTS: Final = 5


def take(settle_s: float) -> dict[str, Any]:
    """Start a farm, let it settle and return megabytes (2**20 bytes) by role."""
    with tempfile.TemporaryDirectory(prefix="bench-") as empty, running_farm(Path(empty)) as farm:
        time.sleep(settle_s)
        by_role: dict[str, list[psutil.Process]] = {}
        for pid, role in roles(farm.pid).items():
            by_role.setdefault(role, []).append(psutil.Process(pid))
        missing = [role for role in NODE if role not in by_role]
        if missing:
            raise RuntimeError(f"not found among the farm's processes: {', '.join(missing)}")
        pss = {
            role: sum(process.memory_full_info().pss for process in found) / _MB
            for role, found in by_role.items()
        }
        node = [process for role in NODE for process in by_role[role]]
        full = [*node, *by_role.get(LOG_MONITOR, [])]
        return {
            "pss_mb": pss,
            "unique_mb": sum(process.memory_full_info().uss for process in node) / _MB,
            "node_mb": sum(pss[role] for role in NODE),
            "node_with_log_monitor_mb": sum(pss.get(role, 0.0) for role in (*NODE, LOG_MONITOR)),
            "alone_mb": _alone_bytes(node) / _MB,
            "alone_with_log_monitor_mb": _alone_bytes(full) / _MB,
            "idle_workers": len(by_role.get(IDLE_WORKER, [])),
        }


def _alone_bytes(processes: Iterable[psutil.Process]) -> int:
    """Estimate what `processes` would take with nobody else to share pages with.

    Private pages count for each process; pages of a file that several share count once,
    as much as the one that uses most of it.
    """
    private = 0
    shared: dict[str, int] = {}
    for process in processes:
        of_process: dict[str, int] = {}
        for area in process.memory_maps(grouped=False):
            private += area.private_clean + area.private_dirty
            pages = area.shared_clean + area.shared_dirty
            of_process[area.path] = of_process.get(area.path, 0) + pages
        for path, size in of_process.items():
            shared[path] = max(shared.get(path, 0), size)
    return private + sum(shared.values())


def summarise(samples: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the figures with their spread over the starts."""
    names = [name for name in samples[0] if name not in {"pss_mb", "idle_workers"}]
    summary: dict[str, Any] = {name: spread(got[name] for got in samples) for name in names}
    every = sorted({role for got in samples for role in got["pss_mb"]})
    summary["pss_mb"] = {
        role: spread(got["pss_mb"].get(role, 0.0) for got in samples) for role in every
    }
    summary["idle_workers"] = [got["idle_workers"] for got in samples]
    summary["met"] = summary["node_mb"]["median"] <= TARGET_MB and not any(summary["idle_workers"])
    return summary


def text(result: dict[str, Any]) -> str:
    """Return the report as Markdown."""
    target = f"<= {TARGET_MB:g}"
    idle = result["idle_workers"]

    def judged(name: str) -> str:
        return "met" if result[name]["median"] <= TARGET_MB else "over"

    rows = [
        (
            f"node: {', '.join(NODE)}; PSS, MB",
            target,
            *shown(result["node_mb"], "{:.0f}"),
            "met" if result["node_mb"]["median"] <= TARGET_MB else "missed",
        ),
        (
            "idle workers",
            "0",
            str(statistics.median(idle)),
            f"{min(idle)}..{max(idle)}",
            "missed" if any(idle) else "met",
        ),
    ]
    information = [
        (
            "node with Ray's log monitor (`ray start`'s default); PSS, MB",
            *shown(result["node_with_log_monitor_mb"], "{:.0f}"),
            judged("node_with_log_monitor_mb"),
        ),
        (
            "node with nobody to share with, estimate, MB",
            *shown(result["alone_mb"], "{:.0f}"),
            judged("alone_mb"),
        ),
        (
            "the same with Ray's log monitor, MB",
            *shown(result["alone_with_log_monitor_mb"], "{:.0f}"),
            judged("alone_with_log_monitor_mb"),
        ),
        ("node, unique, MB", *shown(result["unique_mb"], "{:.0f}"), ""),
    ]
    processes = [
        (role, _place(role), *shown(values, "{:.1f}"))
        for role, values in sorted(
            result["pss_mb"].items(), key=lambda item: (_place(item[0]), item[0])
        )
    ]
    return (
        "# Memory of a node before a model\n\n"
        f"{result['starts']} starts of a farm with one node and an empty repository, read"
        f" {result['settle_s']:g} s after it was ready. MB are 2**20 bytes.\n\n"
        f"{table(('figure', 'target', 'median', 'min..max', 'verdict'), rows)}\n\n"
        "PSS divides a shared page by all that map it. Here the head's processes and the gateway"
        " map the same libraries and carry part of them, which a Pi's would not: PSS flatters"
        " the node. The estimate below counts shared pages once, to the node alone. It leaves"
        " out page cache and the kernel's own memory.\n\n"
        f"{table(('for information', 'median', 'min..max', f'against {TARGET_MB:g}'), information)}"
        "\n\n## By process, PSS in MB\n\n"
        f"{table(('process', 'runs on', 'median', 'min..max'), processes)}\n\n"
        "## Circumstances\n\n"
        f"{circumstances_text(result['circumstances'])}\n"
        "Again: `python -m benchmarks.memory`.\n"
    )


def _place(role: str) -> str:
    if role in NODE:
        return "node"
    return "node, optional" if role == LOG_MONITOR else "head" if role in HEAD else "unknown"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=3, choices=range(1, _MAX_STARTS + 1))
    parser.add_argument("--settle", type=float, default=_SETTLE_S, help="seconds, at most 30")
    given = parser.parse_args()
    if not 0 <= given.settle <= 30:
        parser.error("--settle must be 0 to 30 seconds")
    facts = circumstances()
    samples = []
    for _ in range(given.starts):
        samples.append(take(given.settle))
        sys.stderr.write(f"node {samples[-1]['node_mb']:.0f} MB PSS\n")
    result = {
        "circumstances": facts,
        "starts": given.starts,
        "settle_s": given.settle,
        "target_mb": TARGET_MB,
        **summarise(samples),
    }
    write("memory", result, text(result))
    print(text(result))


if __name__ == "__main__":
    main()
