"""One host of a lab: a bare Raspberry Pi to log in to, and what can go wrong with it."""

import re
import subprocess
import time
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lab import control_groups, disguises
from lab.disk import Disk
from lab.furnishing import STAND_IN, hosts_file
from lab.machine import Machine
from lab.network import Cable
from lab.terms import PASSWORD, USER, HostSpec, LabError

# The table of nftables that drops what `deafen` and `mute` say.
_DROPPED: Final = "cut"
# Takes memory in small steps while a process runs in whose command line a pattern is found.
_EXHAUST_MEMORY: Final = """\
import pathlib, re, sys, time

def runs(process):
    try:
        line = (process / "cmdline").read_bytes().replace(b"\\0", b" ").decode()
    except OSError:
        return False
    return bool(wanted.search(line))

wanted = re.compile(sys.argv[1])
victims = [each for each in pathlib.Path("/proc").glob("[0-9]*") if runs(each)]
held = []
while any(map(runs, victims)):
    held.append(bytearray(4 << 20))
while True:
    time.sleep(1)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A host of a lab. Faults stay until they are undone; those of the cable until it is off."""

    spec: HostSpec
    machine: Machine
    disk: Disk
    cable: Cable
    ssh_key: Path

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def address(self) -> str:
        return self.cable.address

    @property
    def user(self) -> str:
        return USER

    @property
    def sudo_password(self) -> str:
        return PASSWORD

    @property
    def running(self) -> bool:
        return self.machine.running

    @property
    def memory_used_mb(self) -> int:
        """What it holds of this machine's memory, the page cache included."""
        return control_groups.memory_used_bytes(self.machine.group) // 2**20

    def shell(self, text: str, *, timeout_s: float = 60.0) -> str:
        """Run a shell text as root on the host, whatever its network and sshd are up to.

        Raises:
            LabError: the host is off, or the text failed.
        """
        return self.machine.shell(text, timeout_s=timeout_s)

    def ssh(self, text: str, *, timeout_s: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Run a command over SSH as the host's user, whatever host key it shows."""
        return subprocess.run(
            self.ssh_command(text),
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def ssh_command(self, text: str) -> list[str]:
        """Return the command that `ssh` runs, for tests that want to watch it."""
        options = {
            "BatchMode": "yes",
            "ConnectTimeout": "5",
            "StrictHostKeyChecking": "no",
            "UserKnownHostsFile": "/dev/null",
            "LogLevel": "ERROR",
        }
        flags = [f"-o{key}={value}" for key, value in options.items()]
        login = f"{USER}@{self.address}"
        return ["ssh", "-F", "/dev/null", "-i", str(self.ssh_key), *flags, login, text]

    def write(self, path: str, content: str | bytes, *, mode: int = 0o644) -> None:
        """Put a file into the host's tree, root's, running or not. Not below /run or /dev/shm."""
        file = self.disk.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        file.chmod(mode)

    def host_keys(self) -> list[str]:
        """Return the lines of a known-hosts file that are true of this host now."""
        files = sorted((self.disk.root / "etc/ssh").glob("ssh_host_*_key.pub"))
        return [" ".join([self.address, *file.read_text().split()[:2]]) for file in files]

    def await_process(self, pattern: str, *, timeout_s: float = 60.0) -> None:
        """Wait until a process runs in whose command line a regular expression is found.

        Raises:
            LabError: none did in time.
        """
        deadline = time.monotonic() + timeout_s
        wanted = re.compile(pattern)
        while not any(wanted.search(line) for line in self.machine.command_lines()):
            if time.monotonic() > deadline:
                raise LabError(f"{self.name}: no process matches {pattern} after {timeout_s:.0f} s")
            time.sleep(0.02)

    # Power

    def stop(self) -> None:
        """Take its power away, without any warning. What it wrote to its disk is kept."""
        self.machine.cut()
        self.cable.remove()

    def start(self) -> None:
        """Switch it on, with its cable plugged in, and wait until it has booted."""
        self.cable.lay()
        self.machine.boot()

    def power_cycle(self) -> None:
        self.stop()
        self.start()

    def freeze(self) -> None:
        """Let everything on it stand still; its kernel goes on to answer on the network."""
        control_groups.freeze(self.machine.group)

    def thaw(self) -> None:
        control_groups.thaw(self.machine.group)

    def exhaust_memory(self, pattern: str) -> None:
        """Use up its memory until the kernel kills a process, of those that `pattern` finds.

        The memory stays used until `release_memory`. What uses it is the last that the kernel
        would kill.
        """
        self.write("/usr/local/bin/exhaust-memory", _EXHAUST_MEMORY)
        self.shell(
            "systemd-run --quiet --unit exhaust-memory --property OOMScoreAdjust=-1000"
            f" python3 /usr/local/bin/exhaust-memory '{pattern}'"
        )

    def release_memory(self) -> None:
        self.shell("systemctl stop exhaust-memory")

    # Network

    def unplug(self) -> None:
        self.cable.pull()

    def plug(self) -> None:
        self.cable.plug()

    def thin_link(self, rate: str) -> None:
        """Slow its link down to a rate such as 100mbit, in both directions."""
        self.cable.thin(rate)

    def widen_link(self) -> None:
        """Undo `thin_link`."""
        self.cable.widen()

    def long_link(self, delay_s: float) -> AbstractContextManager[None]:
        """Let its packets be so much longer under way, each way, while the block lasts."""
        return self.cable.lengthened(delay_s)

    def deafen(self) -> None:
        """Drop all that comes to it; what it sends still arrives. It must have nftables."""
        self._drop("input", "iifname")

    def mute(self) -> None:
        """Drop all that it sends; what comes to it still arrives. It must have nftables."""
        self._drop("output", "oifname")

    def hear_and_speak(self) -> None:
        """Undo `deafen` or `mute`."""
        self.shell(f"nft delete table inet {_DROPPED}")

    def _drop(self, hook: str, interface: str) -> None:
        chain = f"inet {_DROPPED} packets"
        self.shell(
            f"nft 'add table inet {_DROPPED};"
            f" add chain {chain} {{ type filter hook {hook} priority -300; }};"
            f" add rule {chain} {interface} eth0 drop'"
        )

    def reset_connections(self, other: "Host") -> int:
        """End every TCP connection with another host at both ends, in whatever it was saying.

        Return how many there were.
        """
        killed = self.shell(f"ss --kill --no-header --tcp state established dst {other.address}")
        return len(killed.splitlines())

    def drop_connections(self) -> None:
        """End every SSH session that is open now; new ones are let in."""
        listener = "systemctl show --property MainPID --value ssh"
        self.shell(f"pgrep -x sshd | grep -vx $({listener}) | xargs -r kill -KILL")

    # Disk

    def fill_disk(self, leave_bytes: int) -> None:
        """Let the host write that much more and then run out of space."""
        self.disk.fill(leave_bytes)

    def free_disk(self) -> None:
        self.disk.free()

    # Identity and access

    def new_host_keys(self) -> None:
        """Show another host key from now on, as after a fresh SD card."""
        self.shell("rm /etc/ssh/ssh_host_*; ssh-keygen -A; systemctl restart ssh")

    def refuse_key(self) -> None:
        """Let nobody in: the user's authorized keys are gone."""
        self.shell(f"rm /home/{USER}/.ssh/authorized_keys")

    def rename_unresolvable(self, name: str = "renamed") -> None:
        """Give it a name that it cannot resolve: /etc/hosts still has the old one."""
        self.shell(f"echo {name} > /etc/hostname; hostname {name}")

    def rename_back(self) -> None:
        self.write("/etc/hostname", f"{self.name}\n")
        self.write("/etc/hosts", hosts_file(self.name))
        self.shell(f"hostname {self.name}")

    # Board and system

    def set_clock_1970(self) -> None:
        """Let a new SSH session find itself in 1970 (`disguises.clock_in_1970`)."""
        self._disguise(disguises.clock_in_1970(time.time()))

    def pretend_32_bit(self) -> None:
        """Let a new SSH session find a 32-bit system (`disguises.thirty_two_bits`)."""
        self._disguise(disguises.thirty_two_bits())

    def pretend_python(self, version: str = "3.9.2") -> None:
        """Let `python3` be another version (`disguises.other_python`)."""
        self._disguise(disguises.other_python(version))

    def firmware(self, **values: str) -> None:
        """Let `vcgencmd` say something else: throttled="0x50005", temp="83.1", clock=…, pmic=…."""
        for name, value in values.items():
            self.write(f"{STAND_IN}/vcgencmd/{name}", value)

    def _disguise(self, files: Iterable[disguises.File]) -> None:
        for file in files:
            self.write(file.path, file.content, mode=file.mode)
        self.shell("systemctl daemon-reload; systemctl restart ssh")
