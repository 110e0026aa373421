"""What a host may use of this machine, and which processes are its own: control groups."""

import contextlib
import os
import signal
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from lab.terms import LabError

ROOT: Final = Path("/sys/fs/cgroup")
# Version 1 has a tree for each. The last two hold what systemd in the host makes for its units.
TREES: Final = ("cpu", "memory", "systemd", "unified")
PERIOD_US: Final = 100_000
# Of either version of control groups: a tenth of the usual weight or less.
_LEAST_WEIGHT: Final = 10
END_TIMEOUT_S: Final = 20.0


def make_group(name: str, *, cpus: float, memory_mb: int) -> list[Path]:
    """Make a group and return the files that take in a process that writes its id to them."""
    quota_us = int(cpus * PERIOD_US)
    folders = _folders(name)
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    if _version_2():
        for above in (ROOT, *reversed(folders[0].relative_to(ROOT).parents[:-1])):
            (ROOT / above / "cgroup.subtree_control").write_text("+cpu +memory")
        (folders[0] / "cpu.max").write_text(f"{quota_us} {PERIOD_US}")
        (folders[0] / "memory.max").write_text(f"{memory_mb}M")
    else:
        (ROOT / "cpu" / name / "cpu.cfs_period_us").write_text(str(PERIOD_US))
        (ROOT / "cpu" / name / "cpu.cfs_quota_us").write_text(str(quota_us))
        (ROOT / "memory" / name / "memory.limit_in_bytes").write_text(f"{memory_mb}M")
    return [folder / "cgroup.procs" for folder in folders]


@contextlib.contextmanager
def yielding(names: Iterable[str]) -> Iterator[None]:
    """Let groups have what others leave of this machine's cores, where all want them.

    A group that is made anew meanwhile has its share again.
    """
    files = [_weight_file(name) for name in names]
    usual = [file.read_text() for file in files]
    for file in files:
        file.write_text(str(_LEAST_WEIGHT))
    try:
        yield
    finally:
        for file, weight in zip(files, usual, strict=True):
            with contextlib.suppress(OSError):
                file.write_text(weight)


def _weight_file(name: str) -> Path:
    # Usually 100 in version 2, and 1024 in version 1.
    return ROOT / name / "cpu.weight" if _version_2() else ROOT / "cpu" / name / "cpu.shares"


def memory_used_bytes(name: str) -> int:
    """Return what the processes of a group hold, the page cache included."""
    if _version_2():
        return int((ROOT / name / "memory.current").read_text())
    return int((ROOT / "memory" / name / "memory.usage_in_bytes").read_text())


def processes(name: str) -> set[int]:
    """Return the ids of all processes in a group or below it."""
    found: set[int] = set()
    for folder in _folders(name):
        for below, _, _ in os.walk(folder):
            # systemd in the host removes groups at any time.
            with contextlib.suppress(OSError):
                found.update(int(pid) for pid in (Path(below) / "cgroup.procs").read_text().split())
    return found


def end_processes(name: str) -> None:
    """Kill all processes of a group and wait until none is left.

    Raises:
        LabError: the kernel has not ended one of them in time.
    """
    deadline = time.monotonic() + END_TIMEOUT_S
    while left := processes(name):
        if time.monotonic() > deadline:
            raise LabError(f"processes {sorted(left)} of {name} do not end")
        _signal(left, signal.SIGKILL)
        time.sleep(0.05)


def freeze(name: str) -> None:
    """Stop all processes of a group where they are, and those that they start meanwhile.

    Raises:
        LabError: they start others faster than they are stopped.
    """
    deadline = time.monotonic() + END_TIMEOUT_S
    stopped: set[int] = set()
    while left := processes(name) - stopped:
        if time.monotonic() > deadline:
            raise LabError(f"processes {sorted(left)} of {name} do not stop")
        _signal(left, signal.SIGSTOP)
        stopped |= left


def thaw(name: str) -> None:
    """Let all processes of a group go on."""
    _signal(processes(name), signal.SIGCONT)


def remove_group(name: str) -> None:
    """Remove a group that has no processes, with what systemd made in it.

    Raises:
        LabError: it did not become empty in time.
    """
    deadline = time.monotonic() + END_TIMEOUT_S
    for folder in _folders(name):
        for below, _, _ in os.walk(folder, topdown=False):
            # Processes that are gone from its list count until the kernel is done with them.
            while not _removed(Path(below)):
                if time.monotonic() > deadline:
                    raise LabError(f"control group {below} does not become empty")
                time.sleep(0.02)


def _folders(name: str) -> list[Path]:
    if _version_2():
        return [ROOT / name]
    return [ROOT / tree / name for tree in TREES if (ROOT / tree).exists()]


def _version_2() -> bool:
    return (ROOT / "cgroup.controllers").exists()


def _signal(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _removed(folder: Path) -> bool:
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
