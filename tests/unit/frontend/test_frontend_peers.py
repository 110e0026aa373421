"""Whose call it is: what clients of the farm are told apart by."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from farm.frontend.grpc_types import Context
from farm.frontend.peers import client_of


def client(peer: str, *identities: bytes) -> str:
    context: Any = SimpleNamespace(peer=lambda: peer, peer_identities=lambda: identities or None)
    return client_of(cast("Context", context))


def test_connections_of_one_host_are_one_client() -> None:
    assert client("ipv4:192.0.2.7:50001") == client("ipv4:192.0.2.7:50002")
    assert client("ipv6:%5B2001:db8::1%5D:1") == client("ipv6:[2001:db8::1]:2")


def test_a_host_is_the_same_by_either_protocol() -> None:
    assert client("ipv6:%5B::ffff:192.0.2.7%5D:1") == client("ipv4:192.0.2.7:2")


def test_hosts_are_told_apart() -> None:
    peers = ("ipv4:192.0.2.7:1", "ipv4:192.0.2.8:1", "ipv6:%5B2001:db8::1%5D:1")
    assert len({client(peer) for peer in peers}) == len(peers)


@pytest.mark.parametrize("host", ["ipv4:127.0.0.1", "ipv6:%5B::1%5D"])
def test_programs_on_this_machine_are_told_apart_by_connection(host: str) -> None:
    assert client(f"{host}:1") != client(f"{host}:2")
    assert client(f"{host}:1") == client(f"{host}:1")


def test_a_certificate_comes_before_the_address() -> None:
    assert client("ipv4:192.0.2.7:1", b"greta") == client("ipv4:192.0.2.8:1", b"greta", b"other")
    assert client("ipv4:192.0.2.7:1", b"greta") != client("ipv4:192.0.2.7:1", b"hugo")


def test_no_certificate_passes_for_an_address() -> None:
    assert client("ipv4:192.0.2.7:1", b"192.0.2.8") != client("ipv4:192.0.2.8:1")


@pytest.mark.parametrize("peer", ["unix:", "unix:/run/farm.sock", "unknown", "", "🦊"])
def test_a_peer_without_an_address_is_a_client_too(peer: str) -> None:
    assert client(peer) == client(peer)


def test_what_is_kept_of_a_client_is_bounded_and_still_its_own() -> None:
    long = [client("ipv4:192.0.2.7:1", b"x" * 9_000 + bytes([end])) for end in (0x61, 0xFF)]
    assert all(len(name) <= 128 for name in long)
    assert long[0] != long[1]
