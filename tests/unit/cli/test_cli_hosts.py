"""`farm hosts trust`: what is shown, what is asked, what is written, and the exit code."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import paramiko
import pytest
from click.testing import Result
from commands import farm

from farm.inventory import Host
from playbooks import trust
from tests.unit.playbooks.shown_key_server import KeyServer, key_server

INVENTORY = """
farm: {name: shelf}
hosts:
  pi-1: {address: 198.18.0.1, role: both}
  pi-2: {address: 198.18.0.2}
"""


class Shelf:
    """Two hosts that show keys, as servers on loopback; a silent one has none."""

    def __init__(self, folder: Path, servers: dict[str, KeyServer]) -> None:
        self.file = folder / "shelf.yaml"
        self.file.write_text(INVENTORY)
        self.servers = servers
        self.silent: set[str] = set()
        self.known_hosts = folder / "farm-home" / "farms" / "shelf" / "known_hosts"

    def trust(self, *options: str) -> Result:
        return farm("hosts", "trust", "-i", str(self.file), *options)

    def placed(self, host: Host) -> Host:
        port = 1 if host.name in self.silent else self.servers[host.name].port
        return host.model_copy(update={"address": "127.0.0.1", "port": port})


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shelf]:
    with ExitStack() as ending:
        servers = {
            name: ending.enter_context(key_server(paramiko.ECDSAKey.generate()))
            for name in ("pi-1", "pi-2")
        }
        made = Shelf(tmp_path, servers)
        shown_keys = trust.shown_keys
        monkeypatch.setattr(
            trust,
            "shown_keys",
            lambda hosts, known: shown_keys([made.placed(host) for host in hosts], known),
        )
        yield made


def test_keys_are_shown_and_written_when_agreed(shelf: Shelf) -> None:
    ended = shelf.trust("--yes")
    assert ended.exit_code == 0
    for server in shelf.servers.values():
        assert server.keys[0].fingerprint in ended.stdout
    assert f"2 keys written to {shelf.known_hosts}" in ended.stderr
    again = shelf.trust()
    assert again.exit_code == 0
    assert again.stderr == ""
    assert again.stdout.count("known") == 2


def test_nobody_agrees_where_nobody_can_be_asked(shelf: Shelf) -> None:
    ended = shelf.trust()
    assert ended.exit_code == 6
    assert "pass --yes" in ended.stderr
    assert "pi-1: its key was not accepted" in ended.stderr
    assert not shelf.known_hosts.exists()


def test_a_changed_key_takes_more_than_yes(shelf: Shelf) -> None:
    shelf.trust("--yes")
    before = shelf.known_hosts.read_text()
    shelf.servers["pi-2"].keys = [paramiko.ECDSAKey.generate()]
    ended = shelf.trust("--yes")
    assert ended.exit_code == 3
    assert "pi-2: its changed key was not accepted" in ended.stderr
    assert "somebody answers in its place" in ended.stderr
    assert shelf.trust("--replace").exit_code == 3
    assert shelf.known_hosts.read_text() == before
    assert shelf.trust("--yes", "--replace").exit_code == 0
    assert shelf.trust().exit_code == 0


def test_a_host_that_is_down_does_not_keep_the_other_from_being_trusted(shelf: Shelf) -> None:
    shelf.silent = {"pi-2"}
    ended = shelf.trust("--yes")
    assert ended.exit_code == 3
    assert "shows no key" in ended.stdout
    assert len(shelf.known_hosts.read_text().splitlines()) == 1


def test_a_shelf_that_is_off(shelf: Shelf) -> None:
    shelf.silent = {"pi-1", "pi-2"}
    assert shelf.trust("--yes").exit_code == 4


def test_json(shelf: Shelf) -> None:
    shelf.silent = {"pi-2"}
    document = json.loads(shelf.trust("--yes", "--output", "json").stdout)
    first, second = document["hosts"]
    key = shelf.servers["pi-1"].keys[0]
    assert (first["host"], first["standing"], first["error"]) == ("pi-1", "new", None)
    assert (first["type"], first["fingerprint"]) == (key.get_name(), key.fingerprint)
    assert (second["standing"], second["fingerprint"]) == (None, None)
    assert "shows no key" in second["error"]


def test_limit(shelf: Shelf) -> None:
    ended = shelf.trust("--yes", "--limit", "pi-2")
    assert ended.exit_code == 0
    assert "pi-1" not in ended.stdout
