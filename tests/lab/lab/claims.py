"""Which labs there are, which of them nobody holds any more, and how a lab is removed.

A lab's things are found by its name alone (its folder, control group and namespaces) and by
the subnet that is noted in the folder before anything is made; so nothing depends on the
process that made it still being there.
"""

import fcntl
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lab import control_groups, network
from lab.disk import unmount_below
from lab.terms import STATE, LabError

NOTE: Final = "lab.json"
LOCK: Final = "lock"
NAME: Final = re.compile(r"[a-z][a-z0-9]{0,15}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a lab is known by."""

    name: str
    subnet: int
    kept: bool

    @property
    def folder(self) -> Path:
        return STATE / self.name


def mark(name: str) -> str:
    """Return what the names of a lab's network namespaces begin with."""
    return f"farmlab.{name}."


def group(name: str) -> str:
    """Return the control group above those of a lab's hosts."""
    return f"farm-lab/{name}"


def names() -> list[str]:
    """Return the names of all labs of this machine."""
    return sorted(file.parent.name for file in STATE.glob(f"*/{NOTE}"))


def noted(name: str) -> Claim:
    """Return the claim of a lab of whatever process.

    Raises:
        LabError: there is none of that name.
    """
    try:
        return Claim(name=name, **json.loads((STATE / name / NOTE).read_text()))
    except FileNotFoundError:
        raise LabError(f"there is no lab {name}; there are {names()}") from None


def claim(name: str, *, kept: bool) -> tuple[Claim, int]:
    """Take a name and a free subnet for a lab.

    Returns them with an open file: its lock says that the lab is in use, until it is closed
    or the process ends, however it does.

    Raises:
        LabError: the name is taken, or cannot be part of the names of namespaces.
    """
    if not NAME.fullmatch(name):
        raise LabError(f"lab name {name!r}: up to 16 of a-z and 0-9, a letter first")
    with _one_at_a_time():
        if (STATE / name).exists():
            raise LabError(f"lab {name} is up; take it down first: make lab-down LAB={name}")
        subnet = network.free_subnet({noted(other).subnet for other in names()})
        new = STATE / f".{name}.new"
        new.mkdir(mode=0o700)
        lock = os.open(new / LOCK, os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        (new / NOTE).write_text(json.dumps({"subnet": subnet, "kept": kept}))
        new.rename(STATE / name)
    return Claim(name=name, subnet=subnet, kept=kept), lock


def sweep() -> list[str]:
    """Remove the labs whose process is gone and that were not to be kept; return their names."""
    with _one_at_a_time():
        abandoned = [name for name in names() if not noted(name).kept and not _held(name)]
        for name in abandoned:
            _remove(noted(name))
    return abandoned


def remove(name: str) -> None:
    """Remove everything of a lab: processes, switch, namespaces, mounts, groups, files.

    Raises:
        LabError: there is none of that name, or something of it cannot be removed.
    """
    with _one_at_a_time():
        _remove(noted(name))


def _remove(lab: Claim) -> None:
    control_groups.end_processes(group(lab.name))
    control_groups.remove_group(group(lab.name))
    network.remove_switch(lab.subnet)
    for namespace in network.namespaces():
        if namespace.startswith(mark(lab.name)):
            network.remove_namespace(namespace)
    unmount_below(lab.folder)
    for propagated in Path("/run/systemd/nspawn/propagate").glob(f"{lab.name}-*"):
        propagated.rmdir()
    removed = lab.folder.with_name(f".{lab.name}.removed")
    lab.folder.rename(removed)
    shutil.rmtree(removed)


def _held(name: str) -> bool:
    with (STATE / name / LOCK).open("r+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    STATE.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (STATE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # What was killed while it made or removed a lab left its folder under such a name.
        for remains in STATE.glob(".*"):
            shutil.rmtree(remains)
        yield
