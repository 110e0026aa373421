"""Whose call it is: what clients of the farm are told apart by, and what they may do."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from farm.core.roles import Role
from farm.frontend.callers import Caller, Callers
from farm.frontend.grpc_types import Context

ELSEWHERE = "ipv4:10.0.0.7:5"
HERE = "ipv4:127.0.0.1:5"


def caller(peer: str, *uris: bytes, callers: Callers | None = None, **names: list[bytes]) -> Caller:
    """Whose call it is, given the names in the certificate that is shown, if there are any."""
    shown = {"peer_uri": list(uris), **names} if uris or names else {}
    if shown:
        shown["x509_pem_cert"] = [repr(shown).encode()]
        shown.setdefault("x509_subject_alternative_name", list(uris))
    context: Any = SimpleNamespace(
        peer=lambda: peer, auth_context=lambda: shown, invocation_metadata=lambda: ()
    )
    return (callers or Callers(farm="shelf", certificates=None)).identify(cast("Context", context))


def client(peer: str, *identities: bytes) -> str:
    return caller(peer, *identities).client_key


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


@pytest.mark.parametrize(
    ("kind", "role"),
    [
        (b"admin", Role.ADMIN),
        (b"operator", Role.OPERATE),
        (b"client", Role.INFER),
        (b"node", Role.INFER),
        (b"queen", Role.INFER),
    ],
)
@pytest.mark.parametrize("peer", [ELSEWHERE, HERE])
def test_a_certificate_decides_wherever_its_holder_calls_from(
    peer: str, kind: bytes, role: Role
) -> None:
    assert caller(peer, b"farm://shelf/" + kind + b"/ann").role is role


def test_who_shows_nothing_may_do_all_on_this_machine_alone() -> None:
    assert caller(HERE).role is Role.ADMIN
    assert caller("unix:/run/farm.sock").role is Role.ADMIN
    assert caller(ELSEWHERE).role is None


def test_the_highest_of_several_identities_counts() -> None:
    both = caller(ELSEWHERE, b"farm://shelf/operator/ann", b"farm://shelf/admin/ann")
    assert (both.role, both.name) == (Role.ADMIN, "admin ann at 10.0.0.7")


def test_another_farms_admin_is_nobody_here() -> None:
    assert caller(ELSEWHERE, b"farm://cellar/admin/eve").role is Role.INFER
    mixed = caller(ELSEWHERE, b"farm://cellar/admin/eve", b"farm://shelf/client/eve")
    assert (mixed.role, mixed.name) == (Role.INFER, "client eve at 10.0.0.7")


def test_a_certificate_without_a_name_is_not_as_good_as_none() -> None:
    assert caller(HERE, other=[b""]).role is Role.INFER
    assert caller(HERE, other=[b""]).client_key == client(HERE)


def test_a_port_that_is_another_connections_now_is_another_caller() -> None:
    callers = Callers(farm="shelf", certificates=None)
    roles = [
        caller(ELSEWHERE, *uris, callers=callers).role
        for uris in ([b"farm://shelf/admin/ann"], [], [b"farm://shelf/client/bob"])
    ]
    assert roles == [Role.ADMIN, None, Role.INFER]


def test_what_is_remembered_of_connections_has_a_bound() -> None:
    callers = Callers(farm="shelf", certificates=None)
    for port in range(3_000):
        found = caller(f"ipv4:10.0.0.7:{port}", b"farm://shelf/operator/ann", callers=callers)
        assert found.role is Role.OPERATE
    assert len(callers) <= 1024


@pytest.mark.parametrize(
    ("peer", "uris", "who"),
    [
        (ELSEWHERE, [b"farm://shelf/operator/ann"], "operator ann at 10.0.0.7"),
        (ELSEWHERE, [b"farm://cellar/client/x"], "farm://cellar/client/x at 10.0.0.7"),
        (ELSEWHERE, [b"https://example.org"], "10.0.0.7"),
        ("ipv6:%5B2001:db8::7%5D:5", [], "2001:db8::7"),
        ("unix:/run/farm.sock", [], "this machine"),
    ],
)
def test_a_caller_is_told_by_certificate_and_address(
    peer: str, uris: list[bytes], who: str
) -> None:
    assert caller(peer, *uris).name == who
