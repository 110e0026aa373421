"""The switch of a lab and the cable of each host: a bridge and veth pairs.

Addresses are 198.18.SUBNET.x out of the block that is reserved for tests. The operator, who is
this machine itself, has .1. Hosts have no route out, so nothing they send leaves the lab.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lab.execution import run
from lab.terms import LabError

SUBNETS: Final = range(1, 255)
FIRST_HOST: Final = 10
LAST_HOST: Final = 250
_RELAY: Final = Path(__file__).with_name("delaying_relay.py")


def switch_name(subnet: int) -> str:
    return f"farmlab{subnet}"


def operator_address(subnet: int) -> str:
    return f"198.18.{subnet}.1"


def free_subnet(taken: set[int]) -> int:
    """Return the first subnet that neither a lab nor anything else on this machine has."""
    addresses = {
        address["local"]
        for interface in json.loads(run("ip", "-json", "-4", "address", "show"))
        for address in interface["addr_info"]
    }
    for subnet in SUBNETS:
        if subnet not in taken and not any(a.startswith(f"198.18.{subnet}.") for a in addresses):
            return subnet
    raise LabError("198.18.0.0/16 is full of labs; take some down: make lab-down")


def add_switch(subnet: int) -> None:
    name = switch_name(subnet)
    run("ip", "link", "add", name, "type", "bridge")
    run("ip", "address", "add", f"{operator_address(subnet)}/24", "dev", name)
    run("ip", "link", "set", name, "up")


def remove_switch(subnet: int) -> None:
    """Remove the switch and every cable in it, with both ends."""
    name = switch_name(subnet)
    # A namespace that is deleted takes its end away later; the next lab wants the name now.
    for interface in [link["ifname"] for link in json.loads(run("ip", "-json", "link"))]:
        if interface == name or interface.startswith(f"{name}."):
            run("ip", "link", "delete", interface)


def namespaces() -> list[str]:
    """Return the names of this machine's network namespaces, of labs or not."""
    return [line.split()[0] for line in run("ip", "netns", "list").splitlines() if line]


def remove_namespace(name: str) -> None:
    run("ip", "netns", "delete", name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cable:
    """What connects one host: `eth0` in its namespace, and a port of the switch here."""

    subnet: int
    octet: int
    namespace: str

    @property
    def address(self) -> str:
        return f"198.18.{self.subnet}.{self.octet}"

    @property
    def port(self) -> str:
        return f"{switch_name(self.subnet)}.{self.octet}"

    def lay(self) -> None:
        inside = ("ip", "-n", self.namespace)
        run("ip", "netns", "add", self.namespace)
        run("ip", "link", "add", self.port, "type", "veth", "peer", "eth0", "netns", self.namespace)
        run("ip", "link", "set", self.port, "master", switch_name(self.subnet), "up")
        run(*inside, "address", "add", f"{self.address}/24", "dev", "eth0")
        run(*inside, "link", "set", "eth0", "up")
        run(*inside, "link", "set", "lo", "up")

    def remove(self) -> None:
        """Take the cable away, and with the namespace all that the host's kernel knew of it."""
        run("ip", "link", "delete", self.port)
        run("ip", "netns", "delete", self.namespace)

    def pull(self) -> None:
        """Both ends lose their carrier, as with a cable that is pulled."""
        run("ip", "link", "set", self.port, "down")

    def plug(self) -> None:
        run("ip", "link", "set", self.port, "up")

    def thin(self, rate: str) -> None:
        """Let no more through in either direction than `rate` (as `tc` has it: 100mbit)."""
        shape = ("root", "tbf", "rate", rate, "burst", "64kb", "latency", "100ms")
        run("tc", "qdisc", "replace", "dev", self.port, *shape)
        self._inside("tc", "qdisc", "replace", "dev", "eth0", *shape)

    def widen(self) -> None:
        """Let everything through again that `thin` held back."""
        run("tc", "qdisc", "delete", "dev", self.port, "root")
        self._inside("tc", "qdisc", "delete", "dev", "eth0", "root")

    @contextmanager
    def lengthened(self, delay_s: float) -> Iterator[None]:
        """Let every packet be so much longer under way, in either direction, while it lasts.

        The cable goes to a switch of its own then, and from there through a relay.
        """
        near, far, between = f"{self.port}n", f"{self.port}f", f"{self.port}b"
        switch = switch_name(self.subnet)
        with subprocess.Popen(
            [sys.executable, _RELAY, near, far, str(delay_s)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as relay:
            try:
                if relay.stdout is None or relay.stdout.readline() != b"ready\n":
                    raise LabError(
                        f"packets of {self.port} cannot be delayed: this machine makes no TAP"
                        " interfaces; see that /dev/net/tun is there: sudo modprobe tun"
                    )
                run("ip", "link", "add", between, "type", "bridge")
                try:
                    run("ip", "link", "set", between, "up")
                    run("ip", "link", "set", near, "master", between, "up")
                    run("ip", "link", "set", far, "master", switch, "up")
                    run("ip", "link", "set", self.port, "master", between)
                    yield
                finally:
                    run("ip", "link", "set", self.port, "master", switch)
                    run("ip", "link", "delete", between)
            finally:
                relay.kill()

    def _inside(self, *command: str) -> None:
        run("ip", "netns", "exec", self.namespace, *command)
