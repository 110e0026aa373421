"""What a host is made of, and where the lab keeps what it makes."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

Architecture: TypeAlias = Literal["amd64", "arm64"]
# What the user `pi` may do: all without a password (as Raspberry Pi OS ships), with one, nothing.
Sudo: TypeAlias = Literal["nopasswd", "password", "refused"]

USER: Final = "pi"
# Of `pi`, for sudo alone: sshd takes keys only.
PASSWORD: Final = "raspberry"  # noqa: S105 - every host of a lab has it, no other machine
STATE: Final = Path("/var/lib/farm-lab")


class LabError(Exception):
    """The lab cannot do what was asked. The message says what, why and what to do next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSpec:
    """The hardware and the set-up of one host.

    `board` is a name in `BOARDS`, `cpus` a quota in cores of this machine. `disk_mb` bounds
    everything that is written; it takes room on this machine only as it fills.
    """

    name: str
    cpus: float
    memory_mb: int
    board: str = "rpi4b"
    arch: Architecture = "amd64"
    disk_mb: int = 6144
    sudo: Sudo = "nopasswd"


def cache() -> Path:
    """Return the folder of the images, which outlives every lab."""
    return Path(os.environ.get("FARM_LAB_CACHE") or "/var/cache/farm-lab")
