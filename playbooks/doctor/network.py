"""Checks of a host's name, address, link and ports."""

from collections.abc import Iterator
from ipaddress import ip_address

from farm.core.ports import CLUSTER_BASES, ClusterPorts
from farm.inventory import Tls
from playbooks import layout
from playbooks.doctor.check import Check, Subject, Verdict, error, info, ok, unknown, warning
from playbooks.facts.board import BOARD
from playbooks.facts.listeners import LISTENERS, Listener
from playbooks.facts.network import NETWORK, short_address
from playbooks.facts.own_name import OWN_NAME
from playbooks.facts.users import user

FARM_USER = user(layout.USER)

_SLOW_LOOKUP_S = 1.0

# Boards whose own socket does more than 100 Mbit/s.
_GIGABIT_BOARDS = ("Raspberry Pi 4", "Raspberry Pi 5", "Compute Module 4", "Compute Module 5")


def _own_name(subject: Subject) -> Iterator[Verdict]:
    own = subject.facts[OWN_NAME]
    fix = f"`echo '127.0.1.1 {own.name}' | sudo tee -a /etc/hosts` there"
    if not own.name:
        yield unknown("its own name")
    elif not own.addresses:
        yield error(
            f"it cannot resolve its own name, {own.name}: Ray's agents take 20 s to start and the"
            " node dies over it",
            fix,
        )
    elif own.took_s is not None and own.took_s > _SLOW_LOOKUP_S:
        yield warning(
            f"it takes {own.took_s:.1f} s to resolve its own name, {own.name}: a name server is"
            " asked in vain, and Ray asks often",
            fix,
        )
    else:
        yield ok(f"{own.name} is {', '.join(sorted(own.addresses))}")


def _address(subject: Subject) -> Iterator[Verdict]:
    network, address = subject.facts[NETWORK], short_address(subject.host.address)
    if not network.interfaces:
        yield unknown("its addresses")
    elif not _is_address(address):
        yield info(
            f"the inventory calls it {address}; Ray will use {network.reached_at or 'what that is'}"
        )
    elif address not in network.interfaces:
        others = ", ".join(sorted(network.interfaces)) or "none"
        yield error(
            f"{address} of the inventory is no address of its own ({others}): it is reached"
            " through something in between, and Ray cannot listen there",
            "give the address of the host itself in the inventory",
        )
    else:
        yield ok(f"{address} on {network.interfaces[address].name}")


def _link(subject: Subject) -> Iterator[Verdict]:
    network, board = subject.facts[NETWORK], subject.facts[BOARD]
    interface = network.interfaces.get(network.reached_at) or network.interfaces.get(
        short_address(subject.host.address)
    )
    if interface is None:
        yield unknown("which interface it is reached by")
    elif interface.wireless:
        yield warning(
            f"it is reached by Wi-Fi ({interface.name}): answers wait for a busy channel, and a"
            " node that is not heard for 2.5 s loses its batches",
            "use a cable",
        )
    elif interface.speed_mbps is None:
        yield info(f"{interface.name} does not tell its speed")
    elif interface.speed_mbps < 100:
        yield warning(
            f"{interface.name} runs at {interface.speed_mbps} Mbit/s: one picture of 600 KB takes"
            f" {0.6 * 8 / interface.speed_mbps:.1f} s on its way",
            "change the cable, then the switch's port",
        )
    elif interface.speed_mbps < 1000 and any(name in board for name in _GIGABIT_BOARDS):
        yield info(
            f"{interface.name} runs at {interface.speed_mbps} Mbit/s, though the board can do 1000",
            "change the cable, then the switch's port",
        )
    else:
        yield ok(f"{interface.name}, {interface.speed_mbps} Mbit/s")


def _ports(subject: Subject) -> Iterator[Verdict]:
    farm, listeners = subject.facts[FARM_USER], subject.facts[LISTENERS]
    if listeners is None:
        yield unknown("who listens on its ports")
        return
    others = {
        one.port: one
        for one in listeners
        # The farm's own are there on every run but the first.
        if farm is None or one.uid != farm.uid
    }
    taken = [(port, purpose) for port, purpose in _wanted(subject).items() if port in others]
    for port, purpose in taken:
        yield error(
            f"port {port}, {purpose}, is taken by {_owner(others[port])}",
            f"stop what listens there (`sudo ss -ltnp 'sport = :{port}'`), or move it elsewhere",
        )
    if not taken:
        yield ok("the farm's ports are free, or its own")


def _wanted(subject: Subject) -> dict[int, str]:
    """Return the ports that the farm uses on a host, and what for."""
    wanted = {
        port: f"of Ray's cluster {letter}"
        for letter, base in CLUSTER_BASES.items()
        for port in range(ClusterPorts(base).first, ClusterPorts(base).last + 1)
    }
    if subject.host.role.leads:
        gateway = subject.farm.gateway
        wanted[int(gateway.grpc.rpartition(":")[2])] = "the gateway's for gRPC"
        wanted[int(gateway.metrics.rpartition(":")[2])] = "the gateway's for metrics"
        if gateway.tls is not Tls.MUTUAL:
            wanted[int(gateway.operators.rpartition(":")[2])] = "the gateway's for operators"
    return wanted


def _owner(listener: Listener) -> str:
    if not listener.process:
        return "something that does not show its name"
    return f"{listener.process} (process {listener.pid})"


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


NETWORKING = (
    Check(name="own name", reads=(OWN_NAME,), judge=_own_name),
    Check(name="address", reads=(NETWORK,), judge=_address),
    Check(name="link", reads=(NETWORK, BOARD), judge=_link),
    Check(name="ports", reads=(LISTENERS, FARM_USER), judge=_ports),
)
