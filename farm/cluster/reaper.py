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

import psutil

_LOOK_EVERY_S = 1.0
# What a farm that ends in good order may take to end its processes by itself.
_GRACE_S = 5.0


def main() -> None:
    owner, folder = int(sys.argv[1]), Path(sys.argv[2])
    family: dict[int, psutil.Process] = {}
    while not select.select([sys.stdin], [], [], _LOOK_EVERY_S)[0]:
        with contextlib.suppress(psutil.Error):
            for process in psutil.Process(owner).children(recursive=True):
                family.setdefault(process.pid, process)
    family.pop(psutil.Process().pid, None)
    _, left = psutil.wait_procs(list(family.values()), timeout=_GRACE_S)
    for process in left:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(left, timeout=_GRACE_S)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
