"""Lets this machine run the programs of an arm64 host, on the CPU of a Raspberry Pi 4."""

import os
import shutil
from pathlib import Path
from typing import Final

from lab.execution import run
from lab.requirements import EMULATOR

CPU: Final = "cortex-a72"
BINFMT: Final = Path("/proc/sys/fs/binfmt_misc")
ENTRY: Final = "farm-lab-aarch64"
# The head of a 64-bit little-endian ELF file for AArch64, executable or shared.
MAGIC: Final = "7f454c460201010000000000000000000200b700"
MASK: Final = "ffffffffffffff00fffffffffffffffffeffffff"
# P: programs see the name they were called by. O and F: the emulator is opened here, hosts have
# none. C: programs such as sudo get the rights of their file, which distributions leave out.
FLAGS: Final = "POCF"


def enable_emulation() -> None:
    """Let this kernel run arm64 programs; it does until the machine is switched off."""
    if not (BINFMT / "register").exists():
        run("mount", "-t", "binfmt_misc", "none", BINFMT)
    if not (BINFMT / ENTRY).exists():
        rule = ["", ENTRY, "M", "", _escaped(MAGIC), _escaped(MASK), shutil.which(EMULATOR), FLAGS]
        (BINFMT / "register").write_text(":".join(map(str, rule)))


def prepare(root: Path) -> None:
    """Set a host's disk up so that all that runs on it is emulated as that CPU."""
    with (root / "etc/environment").open("a") as environment:
        environment.write(f"QEMU_CPU={CPU}\n")
    _write(root / "etc/sudoers.d/020_emulation", 'Defaults env_keep += "QEMU_CPU"\n')
    _write(
        root / "etc/systemd/system.conf.d/emulation.conf",
        f"[Manager]\nDefaultEnvironment=QEMU_CPU={CPU}\n",
    )
    # Credentials are mounted in a way that the emulator does not know.
    for unit in ("systemd-sysusers", "systemd-tmpfiles-setup", "systemd-tmpfiles-setup-dev"):
        _write(
            root / f"etc/systemd/system/{unit}.service.d/emulation.conf",
            "[Service]\nLoadCredential=\n",
        )


def cpuinfo(board: str) -> str:
    """Return /proc/cpuinfo of a Raspberry Pi 4 with as many cores as this machine."""
    cores = [
        f"processor\t: {core}\nBogoMIPS\t: 108.00\n"
        "Features\t: fp asimd evtstrm crc32 cpuid\n"
        "CPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x0\n"
        "CPU part\t: 0xd08\nCPU revision\t: 3\n\n"
        for core in range(os.cpu_count() or 1)
    ]
    return f"{''.join(cores)}Model\t\t: {board}\n"


def _escaped(digits: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in bytes.fromhex(digits))


def _write(file: Path, content: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)
