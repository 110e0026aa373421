"""Host keys: what is shown, what is known, and what is written down."""

import stat
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import paramiko
import pytest

from farm.core.errors import ConfigurationError
from farm.inventory import Host
from playbooks.trust import ShownKey, Standing, accept, read_known_hosts, shown_keys
from tests.unit.playbooks.hosts import host
from tests.unit.playbooks.shown_key_server import KeyServer, key_server


@cache
def ecdsa(number: int) -> paramiko.PKey:
    return paramiko.ECDSAKey.generate()


@cache
def rsa() -> paramiko.PKey:
    return paramiko.RSAKey.generate(2048)


@pytest.fixture
def server() -> Iterator[KeyServer]:
    with key_server(ecdsa(1)) as running:
        yield running


@pytest.fixture
def known_hosts(tmp_path: Path) -> Path:
    return tmp_path / "farms" / "shelf" / "known_hosts"


def at(server: KeyServer, name: str = "pi-1") -> Host:
    return host(name).model_copy(update={"address": "127.0.0.1", "port": server.port})


def standing(server: KeyServer, known_hosts: Path) -> Standing:
    (shown,) = shown_keys([at(server)], known_hosts)
    assert shown.error is None
    return shown.standing


def test_a_key_is_new_then_known_then_changed(server: KeyServer, known_hosts: Path) -> None:
    shown = shown_keys([at(server)], known_hosts)
    assert [(one.standing, one.key) for one in shown] == [(Standing.NEW, ecdsa(1))]
    assert shown[0].fingerprint.startswith("SHA256:")
    accept(shown, known_hosts)
    assert standing(server, known_hosts) is Standing.KNOWN
    server.keys = [ecdsa(2)]
    assert standing(server, known_hosts) is Standing.CHANGED


def test_accepting_a_changed_key_forgets_the_old_one(server: KeyServer, known_hosts: Path) -> None:
    accept(shown_keys([at(server)], known_hosts), known_hosts)
    server.keys = [rsa()]
    shown = shown_keys([at(server)], known_hosts)
    assert shown[0].standing is Standing.CHANGED, "another type is another key"
    accept(shown, known_hosts)
    assert standing(server, known_hosts) is Standing.KNOWN
    server.keys = [ecdsa(1)]
    assert standing(server, known_hosts) is Standing.CHANGED


def test_the_key_that_people_can_compare_is_preferred(known_hosts: Path) -> None:
    with key_server(rsa(), ecdsa(1)) as server:
        (shown,) = shown_keys([at(server)], known_hosts)
        assert shown.kind == ecdsa(1).get_name()


def test_hosts_at_one_address_are_told_apart_by_their_ports(
    server: KeyServer, known_hosts: Path
) -> None:
    with key_server(ecdsa(2)) as other:
        hosts = [at(server, "a"), at(other, "b")]
        accept(shown_keys(hosts, known_hosts), known_hosts)
        assert {one.standing for one in shown_keys(hosts, known_hosts)} == {Standing.KNOWN}
    names = list(read_known_hosts(known_hosts).keys())
    assert names == [f"[127.0.0.1]:{each.port}" for each in hosts]


def test_the_usual_port_is_not_named(known_hosts: Path) -> None:
    accept([ShownKey(host=host("a"), key=ecdsa(1))], known_hosts)
    assert list(read_known_hosts(known_hosts).keys()) == [host("a").address]


def test_a_host_that_shows_nothing_does_not_keep_the_others(
    server: KeyServer, known_hosts: Path
) -> None:
    silent = host("down").model_copy(update={"address": "127.0.0.1", "port": 1})
    failed, shown = shown_keys([silent, at(server)], known_hosts)
    assert failed.error is not None
    assert "down: 127.0.0.1:1 shows no key (Connection refused)" in failed.error.message
    assert (failed.fingerprint, failed.kind) == ("", "")
    assert shown.key == ecdsa(1)
    accept([failed, shown], known_hosts)
    assert len(read_known_hosts(known_hosts)) == 1


def test_the_file_is_replaced_whole_and_keeps_the_others(known_hosts: Path) -> None:
    accept([ShownKey(host=host("a"), key=ecdsa(1))], known_hosts)
    before = known_hosts.open()
    accept([ShownKey(host=host("b"), key=ecdsa(2)), ShownKey(host=host("c"))], known_hosts)
    with before:
        assert len(before.readlines()) == 1, "who reads meanwhile reads the old file"
    assert len(read_known_hosts(known_hosts)) == 2
    assert list(known_hosts.parent.iterdir()) == [known_hosts]
    assert stat.S_IMODE(known_hosts.parent.stat().st_mode) == 0o700


def test_a_damaged_file_is_told_and_never_overwritten(known_hosts: Path) -> None:
    known_hosts.parent.mkdir(parents=True)
    known_hosts.write_text("pi-1 ssh-rsa A\n")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        accept([ShownKey(host=host("a"), key=ecdsa(1))], known_hosts)
    assert known_hosts.read_text() == "pi-1 ssh-rsa A\n"
