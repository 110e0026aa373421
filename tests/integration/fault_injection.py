"""Faults of real processes and real files, put right when their block ends."""

import os
import signal
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from farm_process import FarmProcess

# Short beside a heartbeat, so that a process that is slowed is never silent.
_CYCLE_S = 0.05


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Let a process do nothing, as one that hangs."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextmanager
def slowed(pid: int, *, share: float) -> Iterator[None]:
    """Let a process run for a `share` of the time only, as a board that is throttled."""
    healthy = threading.Event()

    def throttle() -> None:
        while not healthy.is_set():
            with stopped(pid):
                time.sleep(_CYCLE_S * (1 - share))
            healthy.wait(_CYCLE_S * share)

    throttling = threading.Thread(target=throttle)
    throttling.start()
    try:
        yield
    finally:
        healthy.set()
        throttling.join()


@contextmanager
def damaged(folder: Path) -> Iterator[None]:
    """Let every file in a folder read otherwise than it was written, as on a bad SD card."""
    # A folder of models links to a store of blobs: flipped under one name is flipped.
    files = {path.stat().st_ino: path for path in folder.rglob("*") if path.is_file()}
    assert files, f"nothing to damage in {folder}"
    _flip(files.values())
    try:
        yield
    finally:
        # What was fetched anew meanwhile is whole.
        _flip(path for inode, path in files.items() if _inode(path) == inode)


def _inode(path: Path) -> int:
    return path.stat().st_ino if path.exists() else 0


def _flip(paths: Iterable[Path]) -> None:
    for path in paths:
        with path.open("r+b") as file:
            first = file.read(1)
            file.seek(0)
            file.write(bytes([first[0] ^ 0xFF]))


def disk_of(farm: FarmProcess, node_id: str) -> Path:
    """Return the folder that a node of an embedded farm keeps its models in."""
    (reaper,) = farm.children("farm.cluster.reaper")
    return Path(reaper.cmdline()[-1]) / "nodes" / node_id
