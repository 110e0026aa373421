"""The image that hosts start from: Debian as a bare Raspberry Pi OS Lite has it, made once."""

import fcntl
import hashlib
import os
import shutil
from pathlib import Path
from typing import Final

from lab.disk import unmount_below
from lab.emulation import enable_emulation
from lab.execution import run
from lab.terms import PASSWORD, USER, Architecture, cache

SUITE: Final = "bookworm"
# Raspberry Pi OS Lite is the same Debian and has these; nftables it has not, nor has this.
# libfaketime is the lab's own: nothing loads it until a test wants a wrong clock.
PACKAGES: Final = (
    *("systemd", "systemd-sysv", "dbus", "libpam-systemd", "openssh-server", "sudo"),
    *("python3", "python3-venv", "ca-certificates", "iproute2", "iputils-ping", "ethtool"),
    *("procps", "psmisc", "kmod", "less", "libfaketime"),
)
# Nothing of a machine that is switched on in a lab for minutes, and that no Pi needs to serve.
IDLE_UNITS: Final = (
    *("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer"),
    *("e2scrub_all.timer", "e2scrub_reap.service", "fstrim.timer", "getty.target"),
)
SET_UP: Final = f"""
set -e
useradd --create-home --shell /bin/bash --groups sudo,video {USER}
echo '{USER}:{PASSWORD}' | chpasswd
systemctl mask {" ".join(IDLE_UNITS)}
systemctl enable ssh.service
rm -f /etc/ssh/ssh_host_* /etc/hostname
: > /etc/resolv.conf
: > /etc/machine-id
apt-get clean
rm -rf /var/lib/apt/lists/* /var/log/*.log
"""
BUILD_TIMEOUT_S: Final = 1800.0


def image(arch: Architecture) -> Path:
    """Return the folder of an architecture's image, made if it is not there yet.

    Raises:
        LabError: it could not be made, for example for want of a network.
    """
    recipe = hashlib.sha256(repr((SUITE, PACKAGES, SET_UP)).encode()).hexdigest()[:12]
    folder = cache() / f"{SUITE}-{arch}-{recipe}"
    if folder.exists():
        return folder
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / f"{arch}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            partial = cache() / f"{SUITE}-{arch}.partial"
            # What was killed half-way can have left /proc mounted in there.
            unmount_below(partial)
            shutil.rmtree(partial, ignore_errors=True)
            _bootstrap(arch, partial)
            partial.rename(folder)
    return folder


def _bootstrap(arch: Architecture, folder: Path) -> None:
    if arch == "arm64":
        enable_emulation()
    mirror = os.environ.get("FARM_LAB_MIRROR")
    run(
        "debootstrap",
        "--variant=minbase",
        f"--arch={arch}",
        f"--include={','.join(PACKAGES)}",
        SUITE,
        folder,
        *([mirror] if mirror else []),
        timeout_s=BUILD_TIMEOUT_S,
    )
    run("chroot", folder, "sh", "-c", SET_UP, timeout_s=BUILD_TIMEOUT_S)
