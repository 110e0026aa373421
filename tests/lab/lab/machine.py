"""Switches a host on and off: systemd in a container of its own, over a disk and a cable."""

import contextlib
import os
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lab import control_groups, emulation
from lab.execution import run
from lab.network import Cable
from lab.terms import HostSpec, LabError

# A host of either architecture needs 1 to 4 s, and more where many boot at once.
BOOT_TIMEOUT_S: Final = 120.0
# The shell joins the groups, so that everything it starts is in them; then nspawn leaves it.
JOIN: Final = 'while [ "$1" != -- ]; do echo $$ > "$1"; shift; done; shift; exec "$@"'
PATH: Final = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The part of a host that is on or off. `name` is unique here; `group` is its control group."""

    name: str
    group: str
    spec: HostSpec
    cable: Cable
    root: Path
    console: Path

    def boot(self) -> None:
        """Switch it on and wait until its systemd has started everything and sshd answers.

        Raises:
            LabError: it did not within the time that such a host needs many times over.
        """
        joined = control_groups.make_group(
            self.group, cpus=self.spec.cpus, memory_mb=self.spec.memory_mb
        )
        with self.console.open("ab") as console:
            subprocess.run(
                [
                    *("sh", "-c", JOIN, "sh", *map(str, joined)),
                    *("--", "setsid", "--fork", *self._command()),
                ],
                check=True,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                # A Pi has /tmp on its disk.
                env={**os.environ, "SYSTEMD_NSPAWN_TMPFS_TMP": "0"},
            )
        deadline = time.monotonic() + BOOT_TIMEOUT_S
        while not self._greets():
            if time.monotonic() > deadline or not control_groups.processes(self.group):
                said = self.console.read_text(errors="replace")[-1000:]
                raise LabError(f"{self.spec.name} does not boot; its console says: {said}")
            time.sleep(0.05)
        # Its answer is "degraded", with exit code 1, if some unit failed; that is no matter here.
        try:
            self.shell("systemctl is-system-running --wait || true", timeout_s=BOOT_TIMEOUT_S)
        except LabError as late:
            jobs = self.shell("systemctl list-jobs --no-pager")
            raise LabError(f"{self.spec.name} is still starting: {jobs}") from late

    def cut(self) -> None:
        """Take its power away. What it wrote is kept."""
        control_groups.end_processes(self.group)
        control_groups.remove_group(self.group)

    @property
    def running(self) -> bool:
        return bool(control_groups.processes(self.group))

    def command_lines(self) -> list[str]:
        """Return the command line of every process that its systemd or sshd started."""
        lines = []
        for pid in control_groups.processes(self.group):
            with contextlib.suppress(OSError):
                line = Path(f"/proc/{pid}/cmdline").read_bytes()
                lines.append(line.replace(b"\0", b" ").decode(errors="replace"))
        return lines

    def shell(self, text: str, *, timeout_s: float = 60.0) -> str:
        """Run a shell text as the host's root, past its sshd, and return what it printed."""
        return run(
            *("nsenter", "--target", str(self._leader()), "--all", "--"),
            *("env", "-i", PATH, "HOME=/root", f"QEMU_CPU={emulation.CPU}"),
            *("sh", "-c", text),
            timeout_s=timeout_s,
        )

    def _command(self) -> list[str]:
        emulated = self.spec.arch == "arm64"
        return [
            "systemd-nspawn",
            *("--quiet", "--boot", "--register=no", "--keep-unit", "--console=pipe"),
            *("--resolv-conf=off", "--timezone=off", "--link-journal=no"),
            f"--directory={self.root}",
            f"--machine={self.name}",
            f"--network-namespace-path=/run/netns/{self.cable.namespace}",
            # For a firewall of its own.
            "--capability=CAP_NET_ADMIN",
            *([f"--setenv=QEMU_CPU={emulation.CPU}"] if emulated else ()),
        ]

    def _greets(self) -> bool:
        try:
            with socket.create_connection((self.cable.address, 22), timeout=5.0) as connection:
                return connection.recv(4) == b"SSH-"
        except OSError:
            return False

    def _leader(self) -> int:
        """Return the process here that is process 1 there."""
        for pid in sorted(control_groups.processes(self.group)):
            try:
                status = Path(f"/proc/{pid}/status").read_text()
            except OSError:
                continue
            ids = next(line for line in status.splitlines() if line.startswith("NSpid:"))
            if ids.split()[1:] == [str(pid), "1"]:
                return pid
        raise LabError(f"{self.spec.name} is switched off; start() boots it")
