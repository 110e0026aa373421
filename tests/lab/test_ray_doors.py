"""What reaches Ray's ports from a host that is no member, with and without the firewall."""

import socket
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import grpc
import pytest
from lab import Host
from shelf_farm import ShelfFarm
from shelf_load import services
from test_bootstrap import is_reached, listening_ports

from farm.core.ports import CLUSTER_BASES, ClusterPorts

pytestmark = [pytest.mark.lab, pytest.mark.faults, pytest.mark.timeout(900)]

PORTS = ClusterPorts(CLUSTER_BASES["a"])
OPEN_TO_ALL = {22, 8001}
# Calls of Ray's own protocol that tell of a cluster, or run something in it.
CALLS = (
    "/ray.rpc.NodeInfoGcsService/GetAllNodeInfo",
    "/ray.rpc.InternalKVGcsService/InternalKVKeys",
    "/ray.rpc.JobInfoGcsService/AddJob",
    "/ray.rpc.ActorInfoGcsService/RegisterActor",
    "/ray.rpc.NodeManagerService/GetNodeStats",
    "/ray.rpc.NodeManagerService/RequestWorkerLease",
    "/ray.rpc.CoreWorkerService/PushTask",
    "/ray.rpc.ObjectManagerService/Pull",
)
UNREACHED = grpc.StatusCode.UNAVAILABLE
# Each port knows some of the calls and takes none of them.
REFUSED = {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.UNIMPLEMENTED, UNREACHED}
# How `systemd-analyze security` rates a unit: 10 is a unit of which nothing is taken.
EXPOSED_AT_MOST = 4.0


@pytest.fixture(scope="module")
def foreigner(long_shelf: ShelfFarm) -> Iterator[Host]:
    host = long_shelf.lab.host("foreigner", memory_mb=512)
    yield host
    host.stop()


def test_a_foreign_host_reaches_no_port_of_ray(long_shelf: ShelfFarm, foreigner: Host) -> None:
    for host in long_shelf.hosts:
        listening = listening_ports(host)
        assert listening - OPEN_TO_ALL, f"{host.name} takes no part in Ray's cluster"
        reached = set(map(int, foreigner.shell(tried(host.address, listening)).split()))
        assert reached == listening & OPEN_TO_ALL


def tried(address: str, ports: Collection[int]) -> str:
    """Return a shell text that prints on which of these ports something answers."""
    words = " ".join(map(str, sorted(ports)))
    # What is dropped hangs, so all are tried at once.
    attempt = f"timeout 10 bash -c ': < /dev/tcp/{address}/'$port 2> /dev/null && echo $port"
    return f"for port in {words}; do {{ {attempt}; }} & done; wait"


@pytest.fixture
def let_in(long_shelf: ShelfFarm) -> Iterator[Sequence[Host]]:
    """The head and a node whose firewall lets this machine, which is no member, to Ray's ports."""
    hosts = (long_shelf.head, long_shelf.nodes[0])
    address = long_shelf.lab.operator_address
    with ExitStack() as stack:
        for host in hosts:
            stack.callback(host.shell, "nft --file /etc/farm/firewall.nft")
            host.shell(f"nft insert rule inet farm ray ip saddr {address} accept")
        yield hosts


def test_ray_refuses_who_has_no_token_where_no_firewall_stops_him(
    long_shelf: ShelfFarm, let_in: Sequence[Host]
) -> None:
    for host in let_in:
        ports = listening_ports(host) - OPEN_TO_ALL
        assert all(is_reached(host.address, port) for port in ports)
        told: set[grpc.StatusCode] = set()
        for port in sorted(ports):
            assert in_the_clear(host, port) in {b"", b"HTTP/1.1 401"}
            if port == PORTS.runtime_env_agent:
                continue
            assert called(host, port, without_certificate(long_shelf)) == {UNREACHED}
            # A developer's certificate is the farm's own, but he has no part in its cluster.
            told |= called(host, port, developers(long_shelf))
        assert grpc.StatusCode.UNAUTHENTICATED in told
        assert told <= REFUSED


def in_the_clear(host: Host, port: int) -> bytes:
    """Return how an unencrypted request is answered, nothing if the connection is just ended."""
    with socket.create_connection((host.address, port), timeout=30) as connection:
        connection.sendall(b"POST /get_or_create_runtime_env HTTP/1.1\r\nHost: a\r\n\r\n")
        try:
            return connection.recv(12)
        except ConnectionResetError:
            return b""


def called(host: Host, port: int, credentials: grpc.ChannelCredentials) -> set[grpc.StatusCode]:
    """Return how Ray's calls fail at a port, each without a token."""
    told = set()
    with grpc.secure_channel(f"{host.address}:{port}", credentials) as channel:
        for call in CALLS:
            with pytest.raises(grpc.RpcError) as refused:
                channel.unary_unary(call)(b"", timeout=30)
            told.add(refused.value.code())
    return told


def without_certificate(shelf: ShelfFarm) -> grpc.ChannelCredentials:
    return grpc.ssl_channel_credentials(_read(shelf.developer / "ca.pem"))


def developers(shelf: ShelfFarm) -> grpc.ChannelCredentials:
    files = ("ca.pem", "key.pem", "certificate.pem")
    return grpc.ssl_channel_credentials(*(_read(shelf.developer / name) for name in files))


def _read(file: Path) -> bytes:
    return file.read_bytes()


def test_services_are_exposed_to_little(long_shelf: ShelfFarm) -> None:
    for host, names in services(long_shelf).items():
        for name in names:
            said = host.shell(f"systemd-analyze security --no-pager {name}")
            level = float(said.rpartition(f"for {name}: ")[2].split()[0])
            assert level < EXPOSED_AT_MOST, said
