"""What every result carries: the machine, the versions, the spread; JSON and Markdown."""

import json
import platform
import statistics
import subprocess
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import psutil

ROOT: Final = Path(__file__).resolve().parent.parent
FOLDER: Final = ROOT / "docs" / "benchmarks"

_PACKAGES: Final = (
    "bramble-farm",
    "ray",
    "onnxruntime",
    "grpcio",
    "protobuf",
    "numpy",
    "psutil",
    "textual",
)


def circumstances() -> dict[str, Any]:
    """Return when, on what and with what a figure was measured; no names of hosts or paths."""
    return {
        "taken": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "cpu": _cpu_model(),
            "cores": psutil.cpu_count(),
            "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
            "system": f"{platform.system()} {platform.release()} {platform.machine()}",
            "load_1m": round(psutil.getloadavg()[0], 2),
        },
        "versions": {
            "python": platform.python_version(),
            **{package: version(package) for package in _PACKAGES},
            "commit": _commit(),
        },
    }


def spread(values: Iterable[float]) -> dict[str, Any]:
    """Return median, minimum and maximum, and the values in the order they came."""
    values = [float(f"{value:.5g}") for value in values]
    return {
        "median": float(f"{statistics.median(values):.5g}"),
        "min": min(values),
        "max": max(values),
        "values": values,
    }


def shown(values: dict[str, Any], pattern: str) -> tuple[str, str]:
    """Return the median and `min..max` of a spread as text."""
    return (
        pattern.format(values["median"]),
        f"{pattern.format(values['min'])}..{pattern.format(values['max'])}",
    )


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table; the first column is text, the others figures."""
    rule = ["---", *("---:" for _ in header[1:])]
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, rule, *rows))


def circumstances_text(facts: dict[str, Any]) -> str:
    """Return `circumstances` as Markdown lines."""
    machine, versions = facts["machine"], facts["versions"]
    named = ", ".join(f"{name} {number}" for name, number in versions.items())
    return (
        f"- Taken {facts['taken']}, load average before {machine['load_1m']}\n"
        f"- Machine: {machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']} GB,"
        f" {machine['system']}\n"
        f"- Versions: {named}\n"
    )


def write(name: str, result: dict[str, Any], text: str) -> None:
    """Write `docs/benchmarks/NAME.json` and `NAME.md`."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    (FOLDER / f"{name}.md").write_text(text, encoding="utf-8")


def _cpu_model() -> str:
    board = Path("/proc/device-tree/model")
    if board.exists():
        return board.read_text(encoding="utf-8").rstrip("\0")
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _commit() -> str:
    try:
        return subprocess.run(
            ["git", "describe", "--always", "--dirty"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "unknown"
