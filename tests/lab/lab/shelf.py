"""A lab: hosts on one switch, which all go when the lab does."""

import json
import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import asdict
from operator import itemgetter
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import yaml

from lab import claims, network
from lab.boards import BOARDS
from lab.disk import Disk
from lab.emulation import enable_emulation
from lab.execution import run
from lab.furnishing import furnish
from lab.host import Host
from lab.image import image
from lab.machine import Machine
from lab.requirements import missing
from lab.terms import USER, HostSpec, LabError

SSH_KEY: Final = "key"
NOTE: Final = "host.json"


class Lab(AbstractContextManager["Lab"]):
    """Several may be up at once, each with a name and a subnet of its own.

    As a context manager it takes itself down at the end. What a lab leaves that was killed
    is removed by the next one that is made. One that is `kept` stays until it is taken down
    by name, by whatever process.
    """

    def __init__(self, name: str, *, kept: bool = False) -> None:
        lacks = missing()
        if lacks:
            raise LabError("no lab can be made here, it lacks " + "; ".join(lacks))
        claims.sweep()
        self._claim, self._lock_file = claims.claim(name, kept=kept)
        self.name = name
        self.folder = self._claim.folder
        self.ssh_key = self.folder / SSH_KEY
        # Octets are handed out to hosts that are made at the same time.
        self._lock = threading.Lock()
        self._hosts: list[Host] = []
        self._taken = 0
        try:
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", self.ssh_key)
            network.add_switch(self._claim.subnet)
        except BaseException:
            self.down()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.down()

    def down(self) -> None:
        """Remove the lab and everything of it."""
        claims.remove(self.name)
        os.close(self._lock_file)

    @property
    def operator_address(self) -> str:
        """The address of this machine as hosts see it."""
        return network.operator_address(self._claim.subnet)

    @property
    def home(self) -> Path:
        """A folder for FARM_HOME: the operator's own files, gone with the lab."""
        return self.folder / "home"

    @property
    def hosts(self) -> tuple[Host, ...]:
        return tuple(self._hosts)

    def host(self, name: str, *, board: str = "rpi4b", **hardware: Any) -> Host:
        """Make a bare host and boot it.

        `hardware` is as in `HostSpec`; by default it has its board's memory and a share of
        this machine's cores that fits it.

        Raises:
            LabError: its image cannot be made, or it does not boot.
        """
        kind = BOARDS[board]
        usual = {"cpus": kind.cpus, "memory_mb": kind.memory_mb}
        spec = HostSpec(name=name, board=board, **(usual | hardware))
        if spec.arch == "arm64":
            if lacks := missing("arm64"):
                raise LabError("no arm64 host can be made here, it lacks " + "; ".join(lacks))
            enable_emulation()
        base = image(spec.arch)
        with self._lock:
            octet = network.FIRST_HOST + self._taken
            self._taken += 1
        if octet > network.LAST_HOST:
            raise LabError(f"the subnet of {self.name} has no address left for {name}")
        host = _assembled(self._claim, spec, octet)
        host.disk.make(base)
        note = {"octet": octet, "spec": asdict(spec)}
        (host.disk.folder / NOTE).write_text(json.dumps(note))
        furnish(host.disk.root, spec, authorized_key=self.ssh_key.with_suffix(".pub").read_text())
        host.start()
        with self._lock:
            self._hosts.append(host)
        return host

    def bare(self, count: int, **hardware: Any) -> list[Host]:
        """Make so many hosts at once, named pi-1, pi-2 and on from how many there are."""
        first = len(self._hosts) + 1
        names = [f"pi-{number}" for number in range(first, first + count)]
        image("amd64")
        with ThreadPoolExecutor(max_workers=count) as pool:
            return list(pool.map(lambda name: self.host(name, **hardware), names))

    def write_inventory(
        self, *, head: Host, nodes: Sequence[Host], name: str = "shelf", farm: Any = None
    ) -> Path:
        """Write an inventory of these hosts and return its path.

        A host that is head and among the nodes gets the role `both`. `farm` is what the file
        says under that key besides the name.
        """
        rows = {}
        for host in dict.fromkeys((head, *nodes)):
            role = "node" if host is not head else "both" if head in nodes else "head"
            rows[host.name] = {
                "address": host.address,
                "role": role,
                "board": host.spec.board,
            }
        content = {
            "farm": {"name": name, **(farm or {})},
            "defaults": {"user": USER, "ssh_key": str(self.ssh_key)},
            "hosts": rows,
        }
        path = self.folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump(content, sort_keys=False))
        return path

    def known_hosts(self) -> str:
        """Return a known-hosts file that is true of all hosts now."""
        return "".join(f"{line}\n" for host in self.hosts for line in host.host_keys())


def hosts_of(name: str) -> list[Host]:
    """Return the hosts of a lab of whatever process."""
    claim = claims.noted(name)
    notes = [json.loads(file.read_text()) for file in (claim.folder / "hosts").glob(f"*/{NOTE}")]
    notes.sort(key=itemgetter("octet"))
    return [_assembled(claim, HostSpec(**note["spec"]), note["octet"]) for note in notes]


def _assembled(claim: claims.Claim, spec: HostSpec, octet: int) -> Host:
    folder = claim.folder / "hosts" / spec.name
    cable = network.Cable(
        subnet=claim.subnet, octet=octet, namespace=f"{claims.mark(claim.name)}{spec.name}"
    )
    disk = Disk(folder=folder, size_mb=spec.disk_mb)
    machine = Machine(
        name=f"{claim.name}-{spec.name}",
        group=f"{claims.group(claim.name)}/{spec.name}",
        spec=spec,
        cable=cable,
        root=disk.root,
        console=folder / "console.log",
    )
    return Host(spec=spec, machine=machine, disk=disk, cable=cable, ssh_key=claim.folder / SSH_KEY)
