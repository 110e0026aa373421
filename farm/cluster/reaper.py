"""Ends what an embedded farm leaves behind when it is killed outright.

Ray's agents outlive a raylet that did not say goodbye. The farm starts this process with
a pipe to its standard input; when the pipe closes, the farm is gone, and whatever it had
started and still runs is ended, by pid and start time, and its folder removed.
"""

import contextlib
import select
import shutil
import sys
from pathlib import Path
from time import monotonic, sleep

import psutil

_LOOK_EVERY_S = 1.0
# What a farm that ends in good order may take to end its processes by itself.
_GRACE_S = 2.0
_LOOK_AGAIN_S = 0.1


def _runs(process: psutil.Process) -> bool:
    """Whether a process still does anything; a zombie is its parent's to bury."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def main() -> None:
    owner, folder = int(sys.argv[1]), Path(sys.argv[2])
    family: dict[int, psutil.Process] = {}
    while not select.select([sys.stdin], [], [], _LOOK_EVERY_S)[0]:
        with contextlib.suppress(psutil.Error):
            for process in psutil.Process(owner).children(recursive=True):
                family.setdefault(process.pid, process)
    family.pop(psutil.Process().pid, None)
    deadline = monotonic() + _GRACE_S
    while any(map(_runs, family.values())) and monotonic() < deadline:
        sleep(_LOOK_AGAIN_S)
    for process in filter(_runs, family.values()):
        with contextlib.suppress(psutil.Error):
            process.kill()
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
