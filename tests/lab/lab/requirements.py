"""What a machine must have to hold a lab, and how it gets that."""

import os
import shutil
from pathlib import Path
from typing import Final

from lab.terms import Architecture

# A program the lab runs, and the Debian package that brings it.
PROGRAMS: Final = {
    "debootstrap": "debootstrap",
    "systemd-nspawn": "systemd-container",
    "ip": "iproute2",
    "tc": "iproute2",
    "mkfs.ext4": "e2fsprogs",
    "losetup": "mount",
    "nsenter": "util-linux",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    # Unlike gcc, it brings the headers of the C library.
    "cc": "g++",
}
EMULATOR: Final = "qemu-aarch64-static"
EMULATION_PROGRAMS: Final = {EMULATOR: "qemu-user-static"}


def missing(arch: Architecture = "amd64") -> list[str]:
    """Return a line for everything this machine lacks; none if a lab can be made."""
    lines = []
    if os.geteuid() != 0:
        lines.append("root, for network namespaces, mounts and control groups: run it with sudo")
    if packages := missing_packages(arch):
        lines.append(f"packages: sudo apt-get install {' '.join(packages)}")
    if "overlay" not in Path("/proc/filesystems").read_text():
        lines.append("overlayfs in its kernel: sudo modprobe overlay")
    return lines


def missing_packages(arch: Architecture) -> list[str]:
    """Return the Debian packages that hold what is not installed."""
    programs = {**PROGRAMS, **(EMULATION_PROGRAMS if arch == "arm64" else {})}
    # Root finds programs in folders that others have not on their path.
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
    return sorted(
        {package for name, package in programs.items() if not shutil.which(name, path=path)}
    )
