"""What makes a copy of the image one certain Raspberry Pi: names, keys, rights and stand-ins."""

import shutil
from pathlib import Path
from typing import Final

from lab import emulation
from lab.boards import BOARDS
from lab.execution import run
from lab.terms import USER, HostSpec

STAND_INS: Final = Path(__file__).parent / "stand_ins"
STAND_IN: Final = "usr/lib/board"


def furnish(root: Path, spec: HostSpec, *, authorized_key: str) -> None:
    """Write a host's own files into its disk, before it is switched on."""
    shutil.copytree(STAND_INS, root, symlinks=True, dirs_exist_ok=True)
    (root / "etc/hostname").write_text(f"{spec.name}\n")
    (root / "etc/hosts").write_text(hosts_file(spec.name))
    _grant_sudo(root, spec)
    _authorize(root, authorized_key)
    run("ssh-keygen", "-A", "-f", root)
    _describe_board(root, spec)
    if spec.arch == "arm64":
        emulation.prepare(root)


def hosts_file(name: str) -> str:
    """Return /etc/hosts as Raspberry Pi OS writes it for a host of that name."""
    return f"127.0.0.1\tlocalhost\n::1\t\tlocalhost ip6-localhost\n127.0.1.1\t{name}\n"


def _grant_sudo(root: Path, spec: HostSpec) -> None:
    rights = {"nopasswd": f"{USER} ALL=(ALL) NOPASSWD: ALL", "password": f"{USER} ALL=(ALL) ALL"}
    if spec.sudo in rights:
        file = root / "etc/sudoers.d/010_pi"
        file.write_text(f"{rights[spec.sudo]}\n")
        file.chmod(0o440)
    else:
        run("gpasswd", "--root", root, "--delete", USER, "sudo")


def _authorize(root: Path, key: str) -> None:
    folder = root / "home" / USER / ".ssh"
    folder.mkdir(mode=0o700)
    (folder / "authorized_keys").write_text(key)
    (folder / "authorized_keys").chmod(0o600)
    home = folder.parent.stat()
    for path in (folder, folder / "authorized_keys"):
        shutil.chown(path, home.st_uid, home.st_gid)


def _describe_board(root: Path, spec: HostSpec) -> None:
    board = BOARDS[spec.board]
    model = root / STAND_IN / "firmware/devicetree/base/model"
    model.parent.mkdir(parents=True)
    # Strings of a device tree end with a NUL.
    model.write_bytes(f"{board.model}\0".encode())
    proc = root / STAND_IN / "proc"
    proc.mkdir()
    (proc / "meminfo").write_text(meminfo(spec.memory_mb))
    if spec.arch == "arm64":
        (proc / "cpuinfo").write_text(emulation.cpuinfo(board.model))
    values = root / STAND_IN / "vcgencmd"
    values.mkdir()
    at_rest = {
        "throttled": "0x0",
        "temp": "48.3",
        "clock": str(board.clock_hz),
        "clock_id": str(board.clock_id),
    }
    for name, value in at_rest.items():
        (values / name).write_text(value)


def meminfo(memory_mb: int) -> str:
    """Return /proc/meminfo of a host of that size at rest. It does not follow what is used."""
    total_kb = memory_mb * 1024
    shares = {
        "MemTotal": 1.0,
        "MemFree": 0.7,
        "MemAvailable": 0.85,
        "Buffers": 0.02,
        "Cached": 0.15,
        "SwapCached": 0,
        "Active": 0.1,
        "Inactive": 0.1,
        "SwapTotal": 0,
        "SwapFree": 0,
        "Shmem": 0.01,
        "Slab": 0.03,
        "SReclaimable": 0.02,
    }
    return "".join(f"{key}:{int(total_kb * s):>16} kB\n" for key, s in shares.items())
