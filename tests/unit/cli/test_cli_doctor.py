"""`farm doctor`: what is printed, and the exit code."""

import json
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from commands import farm

from farm.inventory import Host
from playbooks import ssh
from playbooks.ssh import SshSettings
from playbooks.transport import HostDeniedError, HostError, HostUnreachableError
from tests.unit.playbooks.shelf_texts import ASKED, sound_pi
from tests.unit.playbooks.spoken_hosts import SpokenHost

UNNAMED = {"own name": "name=pi-1\n"}
UNREACHABLE = HostUnreachableError("198.18.0.1:22 does not answer", fix="is it switched on?")
DENIED = HostDeniedError("refuses the login", fix="`ssh-copy-id`")

INVENTORY = """
farm: {name: shelf}
hosts:
  pi-1: {address: 198.18.0.1, role: both}
  pi-2: {address: 198.18.0.2}
"""


class Shelf:
    """The inventory of pi-1 and pi-2, whose transports tests choose."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "shelf.yaml"
        self.file.write_text(INVENTORY)
        self.transports: dict[str, SpokenHost] = {}
        self.sound("pi-1")
        self.sound("pi-2")

    def sound(self, name: str, texts: Mapping[str, str] = {}) -> None:
        says = sound_pi(int(name[3:])) | {"clock": f"{time.time():.9f}\n"} | dict(texts)
        self.transports[name] = SpokenHost(says, facts=ASKED)

    def fails(self, name: str, error: HostError) -> None:
        self.transports[name] = SpokenHost(facts=ASKED, fails=error)


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    made = Shelf(tmp_path)

    def connect(host: Host, settings: SshSettings) -> SpokenHost:
        assert settings.known_hosts == tmp_path / "home" / "farms" / "shelf" / "known_hosts"
        return made.transports[host.name]

    monkeypatch.setattr(ssh, "SshTransport", connect)
    monkeypatch.setenv("FARM_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("farm.cli.ssh_options._kept", lambda farm: None)
    return made


def test_a_sound_shelf(shelf: Shelf) -> None:
    ended = farm("doctor", "-i", str(shelf.file))
    assert ended.exit_code == 0
    assert "pi-1 (198.18.0.1): all is well\n" in ended.stdout
    assert (
        "  info     release, services, firewall, certificate: the farm is not installed"
        in ended.stdout
    )
    assert ended.stdout.endswith("2 hosts: nothing keeps any of them from serving\n")


def test_a_finding_is_shown_with_its_fix(shelf: Shelf) -> None:
    shelf.sound("pi-1", UNNAMED)
    ended = farm("doctor", "-i", str(shelf.file))
    assert ended.exit_code == 3
    lines = ended.stdout.splitlines()
    title = lines.index("pi-1 (198.18.0.1): 1 error")
    assert lines[title + 1].startswith("  error    own name: it cannot resolve its own name, pi-1")
    assert (
        lines[title + 2] == "           -> `echo '127.0.1.1 pi-1' | sudo tee -a /etc/hosts` there"
    )
    assert lines[-1] == "2 hosts: 1 cannot serve"


def test_json(shelf: Shelf) -> None:
    shelf.sound("pi-1", UNNAMED)
    ended = farm("doctor", "-i", str(shelf.file), "--output", "json")
    document = json.loads(ended.stdout)
    assert document["schema_version"] == 1
    assert [(h["host"], h["address"], h["severity"]) for h in document["hosts"]] == [
        ("pi-1", "198.18.0.1", "error"),
        ("pi-2", "198.18.0.2", "info"),
    ]
    worst = document["hosts"][0]["findings"][0]
    assert (worst["check"], worst["severity"]) == ("own name", "error")
    assert worst["meaning"]
    assert worst["fix"]
    (board,) = (f for f in document["hosts"][1]["findings"] if f["check"] == "board")
    assert board == {
        "check": "board",
        "severity": "ok",
        "meaning": "Raspberry Pi 4 Model B Rev 1.5 (4 cores, cortex-a72)",
        "fix": None,
    }


def test_limit(shelf: Shelf) -> None:
    shelf.sound("pi-1", UNNAMED)
    ended = farm("doctor", "-i", str(shelf.file), "--limit", "pi-2")
    assert ended.exit_code == 0
    assert "pi-1" not in ended.stdout


@pytest.mark.parametrize(
    ("errors", "code"),
    [
        ([UNREACHABLE, None], 3),
        ([UNREACHABLE, UNREACHABLE], 4),
        ([DENIED, DENIED], 5),
        ([UNREACHABLE, DENIED], 1),
    ],
)
def test_exit_codes_of_hosts_that_cannot_be_asked(
    shelf: Shelf, errors: list[HostError | None], code: int
) -> None:
    for name, error in zip(shelf.transports, errors, strict=True):
        if error is not None:
            shelf.fails(name, error)
    assert farm("doctor", "-i", str(shelf.file)).exit_code == code


def test_the_exit_code_where_every_host_has_errors_of_its_own(shelf: Shelf) -> None:
    shelf.sound("pi-1", UNNAMED)
    shelf.sound("pi-2", {"sudo": "absent\n"})
    assert farm("doctor", "-i", str(shelf.file)).exit_code == 1


def test_a_wrong_inventory_is_a_usage_error(tmp_path: Path) -> None:
    file = tmp_path / "shelf.yaml"
    file.write_text("farm: {}\n")
    ended = farm("doctor", "-i", str(file))
    assert ended.exit_code == 2
    assert ended.stdout == ""
