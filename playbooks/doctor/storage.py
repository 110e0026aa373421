"""Checks of a host's disks."""

from collections.abc import Iterator, Mapping

from playbooks.doctor.check import (
    GB,
    MB,
    Check,
    Subject,
    Verdict,
    error,
    info,
    ok,
    unknown,
    warning,
)
from playbooks.facts.disk import SPACE, WRITE_SPEED, Space
from playbooks.facts.installation import INSTALLATION
from playbooks.facts.mounts import MOUNTS

# A release with Ray and ONNX Runtime is about half of this; an upgrade keeps two of them.
_INSTALL_BYTES = 1 * GB
_COMFORTABLE_BYTES = 2 * GB
# Below this logs, models and journals soon fail to be written.
_RUN_BYTES = 256 * MB

# What the slowest speed class of SD cards promises (Class 10).
_CLASS_10_BYTES_S = 10 * MB

_MAKE_ROOM = (
    "see what takes it: `sudo du -xh --max-depth=2 / | sort -h | tail`; `sudo apt-get clean`"
)


def _space(subject: Subject) -> Iterator[Verdict]:
    spaces = _by_mount(subject.facts[SPACE])
    if not spaces:
        yield unknown("how much room its disks have")
    installed = subject.facts[INSTALLATION].complete
    needed_bytes = _RUN_BYTES if installed else _INSTALL_BYTES
    for mount, space in spaces.items():
        room = f"{_size(space.free_bytes)} of {_size(space.size_bytes)} free on {mount}"
        if space.free_bytes < needed_bytes:
            what = "to run" if installed else "to be installed"
            yield error(f"{room}: the farm needs {_size(needed_bytes)} {what}", _MAKE_ROOM)
        elif space.free_bytes < _COMFORTABLE_BYTES:
            yield warning(f"{room}: little for models, and an upgrade may not fit", _MAKE_ROOM)
        else:
            yield ok(room)


def _writable(subject: Subject) -> Iterator[Verdict]:
    mounts = subject.facts[MOUNTS]
    used = _by_mount(subject.facts[SPACE])
    read_only = [mount for mount in used if "ro" in mounts.get(mount, ())]
    for mount in read_only:
        yield error(
            f"{mount} is mounted read-only: the kernel does that when a card fails",
            "see `sudo dmesg | grep -i -e mmc -e ext4`; a failing card is replaced, an overlay"
            " file system is switched off with `sudo raspi-config`",
        )
    if not read_only:
        yield ok("what the farm writes to is writable")


def _write_speed(subject: Subject) -> Iterator[Verdict]:
    speed = subject.facts[WRITE_SPEED]
    if speed is None:
        yield info("not measured: no room for a trial, or it took too long", _MAKE_ROOM)
    elif speed < _CLASS_10_BYTES_S:
        yield warning(
            f"writes {speed / MB:.1f} MB/s, less than any Class 10 card promises: installing and"
            " loading models takes long, and waiting for the disk can stop services",
            "use a better card (A2 or U3) or an SSD; a card that became slow is wearing out",
        )
    else:
        yield ok(f"writes {speed / MB:.0f} MB/s")


def _by_mount(spaces: Mapping[str, Space]) -> dict[str, Space]:
    """Return each filesystem once; folders of the same one share its room."""
    return {space.mount: space for space in spaces.values()}


def _size(count_bytes: int) -> str:
    return f"{count_bytes / GB:.1f} GB" if count_bytes >= GB else f"{count_bytes // MB} MB"


STORAGE = (
    Check(name="disk space", reads=(SPACE, INSTALLATION), judge=_space),
    Check(name="disk writable", reads=(SPACE, MOUNTS), judge=_writable),
)
WRITING = Check(name="disk speed", reads=(WRITE_SPEED,), judge=_write_speed)
