"""What `farm top` takes: CPU and memory while 200 nodes change every second, and its haste.

The real command runs in a terminal of its own, 200 columns by 60 lines, before a gateway that
only tells (`benchmarks.screen_gateway`); keys are typed at odd moments, and what comes back is
read byte by byte. Writes docs/benchmarks/screen.json and .md.
"""

import argparse
import os
import random
import statistics
import sys
import time
from typing import Any, Final

import psutil

from benchmarks.report import circumstances, circumstances_text, shown, spread, table, write
from benchmarks.server_process import running_server
from benchmarks.terminal import Terminal, in_terminal

MIN_ROUNDS: Final = 5
NODES: Final = 200
CPU_TARGET: Final = 10.0
MEMORY_TARGET_MB: Final = 120.0
KEY_TARGET_MS: Final = 50.0
PAINT_TARGET_S: Final = 1.0

_SEED: Final = 1
_COLUMNS: Final = 200
_LINES: Final = 60
# Until trends are long, so that memory does not grow any more: two minutes of snapshots.
_SETTLE_S: Final = 125.0
_WATCH_S: Final = 20.0
_KEYS: Final = 100
_TIMEOUT_S: Final = 20.0
_DOWN: Final = b"\x1b[B"
_CURSOR: Final = "▌".encode()

# By their key in a round's figures: how they are told, and what was asked.
_FIGURES: Final = (
    ("cpu_percent", "CPU, percent of one core", "{:.1f}", CPU_TARGET),
    ("memory_mb", "memory (RSS), MB", "{:.0f}", MEMORY_TARGET_MB),
    ("key_p95_ms", "key press to paint, p95, ms", "{:.1f}", KEY_TARGET_MS),
    ("first_paint_s", "start to first paint, s", "{:.2f}", PAINT_TARGET_S),
    ("key_p50_ms", "key press to paint, p50, ms", "{:.1f}", None),
    ("first_data_s", "start to the first nodes, s", "{:.2f}", None),
    ("painted_kb_per_s", "sent to the terminal, kB/s", "{:.0f}", None),
)


def key_times_ms(terminal: Terminal, draw: random.Random) -> list[float]:
    """Return how long the cursor took to each next node, at odd moments of the second."""
    times = []
    for number in range(1, _KEYS + 1):
        terminal.watch(draw.uniform(0.1, 0.4))
        pressed_at = terminal.press(_DOWN)
        painted_at = terminal.wait_for(_CURSOR + b"pi-%03d " % number, _TIMEOUT_S)
        times.append((painted_at - pressed_at) * 1e3)
    return times


def one_round(address: str, draw: random.Random, settle_s: float) -> dict[str, float]:
    """Return the figures of one start of `farm top`."""
    command = [sys.executable, "-m", "farm", "top", "--connect", address]
    began = time.perf_counter()
    with in_terminal(command, {}, columns=_COLUMNS, lines=_LINES) as terminal:
        paint_s = terminal.wait_for(b"waiting for first sample", _TIMEOUT_S) - began
        data_s = terminal.wait_for(b"pi-000 ", _TIMEOUT_S) - began
        terminal.watch(settle_s)
        process = psutil.Process(terminal.pid)
        cpu, since, bytes_before = process.cpu_times(), time.perf_counter(), terminal.painted_bytes
        terminal.watch(_WATCH_S)
        cpu_after, seconds = process.cpu_times(), time.perf_counter() - since
        painted = terminal.painted_bytes - bytes_before
        keys = key_times_ms(terminal, draw)
        memory = process.memory_info().rss
    used_s = cpu_after.user + cpu_after.system - cpu.user - cpu.system
    return {
        "cpu_percent": used_s / seconds * 100,
        "memory_mb": memory / 1e6,
        "key_p50_ms": statistics.median(keys),
        "key_p95_ms": statistics.quantiles(keys, n=20)[-1],
        "first_paint_s": paint_s,
        "first_data_s": data_s,
        "painted_kb_per_s": painted / seconds / 1e3,
    }


def measure(rounds: int, settle_s: float) -> dict[str, Any]:
    """Return every figure with its spread over the rounds."""
    draw = random.Random(_SEED)
    gateway = [sys.executable, "-m", "benchmarks.screen_gateway", "--nodes", str(NODES)]
    found = []
    for number in range(rounds):
        with running_server(gateway, os.environ, start_timeout_s=_TIMEOUT_S) as server:
            found.append(one_round(server.grpc, draw, settle_s))
        sys.stderr.write(f"round {number + 1}: {found[-1]}\n")
    return {
        "nodes": NODES,
        "columns": _COLUMNS,
        "lines": _LINES,
        "rounds": rounds,
        "figures": {key: spread(each[key] for each in found) for key, *_ in _FIGURES},
    }


def text(result: dict[str, Any]) -> str:
    """Return the report as Markdown."""
    rows = []
    for key, words, pattern, target in _FIGURES:
        values = result["figures"][key]
        asked = verdict = ""
        if target is not None:
            asked = f"<= {target:g}"
            verdict = "met" if values["median"] <= target else "missed"
        rows.append((words, asked, *shown(values, pattern), verdict))
    return (
        "# What the operator's screen takes\n\n"
        f"`farm top` in a terminal of {result['columns']} columns and {result['lines']} lines,"
        f" before a gateway that tells of {result['nodes']} nodes every second, each of them with"
        f" other figures every time; {result['rounds']} rounds, a start each. Keys move the cursor"
        f" down, {_KEYS} a round, at odd moments; the time ends when the line with the cursor on"
        " its next node has been read from the terminal.\n\n"
        f"{table(('figure', 'target', 'median', 'min..max', 'verdict'), rows)}\n\n"
        "## Circumstances\n\n"
        f"{circumstances_text(result['circumstances'])}\n"
        "Again: `python -m benchmarks.screen`. Every round's value is in `screen.json`.\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=MIN_ROUNDS, choices=range(1, 21))
    parser.add_argument("--quick", action="store_true", help="settles not; writes nothing")
    given = parser.parse_args()
    facts = circumstances()
    settle_s = 5.0 if given.quick else _SETTLE_S
    result = {"circumstances": facts, **measure(given.rounds, settle_s)}
    if not given.quick and given.rounds >= MIN_ROUNDS:
        write("screen", result, text(result))
    print(text(result))


if __name__ == "__main__":
    main()
