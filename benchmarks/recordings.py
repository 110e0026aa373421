"""What a recording of the operator's screen takes, and how soon a long one can be played.

Writes docs/benchmarks/recordings.json and .md.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import mean
from time import perf_counter, process_time
from typing import Any, Final

from benchmarks.report import circumstances, circumstances_text, shown, spread, table, write
from benchmarks.screen_gateway import ChangingFarm
from tui.sources.recording import HEADER, FrameKind, frame, index_of
from tui.sources.reel import Reel

SIZES: Final = (1, 16, 64, 200)
MIN_ROUNDS: Final = 5
HOURS: Final = 10

_HOUR_S: Final = 3_600
# Different snapshots; a long recording repeats them, which nobody who reads it can tell.
_SNAPSHOTS: Final = 120
_SECOND_NS: Final = 1_000_000_000


def measure(nodes: int, folder: Path) -> dict[str, float]:
    """Return the figures of one size in one round; a snapshot comes every second."""
    farm = ChangingFarm(nodes)
    messages = [farm.snapshot() for _ in range(_SNAPSHOTS)]
    began = process_time()
    frames = [frame(FrameKind.SNAPSHOT, 0, each.SerializeToString()) for each in messages]
    kept_s = (process_time() - began) / _SNAPSHOTS
    path = folder / f"{nodes}.recording"
    with path.open("wb") as file:
        file.write(HEADER)
        for second in range(HOURS * _HOUR_S):
            message = messages[second % _SNAPSHOTS].SerializeToString()
            file.write(frame(FrameKind.SNAPSHOT, second * _SECOND_NS, message))
    with path.open("rb") as recording:
        size = os.fstat(recording.fileno()).st_size

        def read(size_bytes: int, offset: int) -> bytes:
            return os.pread(recording.fileno(), size_bytes, offset)

        index, looked_s = _timed(partial(index_of, read, size))
        reel = Reel(read, index)
        middle_ns = HOURS * _HOUR_S * _SECOND_NS // 2
        _, wound_s = _timed(lambda: list(reel.wound(middle_ns)))
    path.unlink()
    return {
        "mb_an_hour": mean(map(len, frames)) * _HOUR_S / 1e6,
        "kept_ms": kept_s * 1e3,
        "looked_through_ms": looked_s * 1e3,
        "wound_ms": wound_s * 1e3,
    }


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    began = perf_counter()
    return work(), perf_counter() - began


FIGURES: Final = {
    "mb_an_hour": "MB an hour",
    "kept_ms": "ms of CPU a snapshot that is kept",
    "looked_through_ms": f"ms until {HOURS} hours are looked through",
    "wound_ms": "ms to be wound to their middle, with rates",
}


def text(result: dict[str, Any]) -> str:
    """Return the report as Markdown."""
    rows = [
        (f"{each['nodes']} nodes: {words}", *shown(each[key], "{:.3g}"))
        for each in result["figures"]
        for key, words in FIGURES.items()
    ]
    return (
        "# What a recording of the screen takes\n\n"
        "`farm top --record` of nodes that change every second, four models, without events; the"
        f" file is read from the page cache. {result['rounds']} rounds.\n\n"
        f"{table(('figure', 'median', 'min..max'), rows)}\n\n"
        "## Circumstances\n\n"
        f"{circumstances_text(result['circumstances'])}\n"
        "Again: `python -m benchmarks.recordings`.\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=MIN_ROUNDS, choices=range(1, 21))
    rounds = parser.parse_args().rounds
    facts = circumstances()
    figures = []
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        # Once before it counts, for what is imported late.
        measure(1, Path(name))
        for nodes in SIZES:
            found = [measure(nodes, Path(name)) for _ in range(rounds)]
            figures.append(
                {"nodes": nodes, **{key: spread(each[key] for each in found) for key in FIGURES}}
            )
            sys.stderr.write(f"{nodes} nodes: {found[-1]}\n")
    result = {"circumstances": facts, "rounds": rounds, "figures": figures}
    if rounds >= MIN_ROUNDS:
        write("recordings", result, text(result))
    print(text(result))


if __name__ == "__main__":
    main()
