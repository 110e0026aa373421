"""`farm bootstrap`: what is printed of a plan and of a run, and the exit code."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from click.testing import Result
from commands import farm

from farm.cli import deployment
from farm.contexts import FarmHome
from farm.inventory import Host
from playbooks import ssh, wheelhouse
from playbooks.commands import Run
from playbooks.exclusion import alone
from playbooks.ssh import SshSettings
from playbooks.transport import HostUnreachableError
from tests.unit.playbooks.model_host import ModelHost
from tests.unit.playbooks.model_shelf import ModelShelf, OneWheel
from tests.unit.playbooks.shelf_gateway import running_gateway


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelShelf]:
    """The hosts a, the head, and b, of whatever inventory is named."""
    with running_gateway(FarmHome.of(os.environ)) as gateway:
        made = ModelShelf(tmp_path, gateway, "ab", both=False)

        def connect(host: Host, settings: SshSettings) -> ModelHost:
            return made.hosts[host.name]

        monkeypatch.chdir(tmp_path)
        # No file may name a gateway on loopback.
        monkeypatch.setattr(deployment, "read_inventory", lambda file: made.inventory)
        monkeypatch.setattr(ssh, "SshTransport", connect)
        monkeypatch.setattr(wheelhouse, "Wheelhouse", OneWheel)
        monkeypatch.setenv("FARM_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr("farm.cli.ssh_options._kept", lambda farm: None)
        yield made


def bootstrap(*options: str) -> Result:
    return farm("bootstrap", "-i", "shelf.yaml", "--models", "models", *options)


def silent(shelf: ModelShelf, *names: str) -> None:
    """Let hosts be switched off."""

    def run(_: Run) -> NoReturn:
        raise HostUnreachableError("it does not answer", fix="is it switched on?")

    for name in names:
        shelf.hosts[name].run = run  # type: ignore[method-assign]


def test_a_plan_is_told_host_by_host_and_nothing_is_done(shelf: ModelShelf) -> None:
    ended = bootstrap("--dry-run")
    assert ended.exit_code == 0
    lines = ended.stdout.splitlines()
    assert lines[0].startswith("a: ")
    assert "  user" in lines
    assert any(line.startswith("    sudo useradd ") for line in lines)
    assert lines[-1] == "    sudo systemctl restart farm-node.service"
    assert all(not host.changes for host in shelf.hosts.values())


def test_a_run_tells_what_became_of_each_host_and_a_second_has_nothing_to_do(
    shelf: ModelShelf,
) -> None:
    first = bootstrap()
    assert first.exit_code == 0
    assert "a: user: changed" in first.stderr
    again = json.loads(bootstrap("--output", "json").stdout)["run"]
    assert [(host["host"], host["status"], host["changes"]) for host in again["hosts"]] == [
        ("a", "unchanged", []),
        ("b", "unchanged", []),
    ]
    assert again["notes"] == []
    assert bootstrap("--dry-run").stdout == "a: nothing to do\nb: nothing to do\n"


def test_a_host_that_fails_is_told_with_its_fix_and_the_others_go_on(shelf: ModelShelf) -> None:
    silent(shelf, "b")
    ended = bootstrap()
    # It was the only node, so nothing serves.
    assert ended.exit_code == 1
    assert "farm: it does not answer\n      is it switched on?\n" in ended.stderr
    assert shelf.hosts["a"].running()


@pytest.mark.parametrize(("off", "code"), [("a", 1), ("ab", 4)])
def test_without_the_head_there_is_no_farm(shelf: ModelShelf, off: str, code: int) -> None:
    silent(shelf, *off)
    assert bootstrap().exit_code == code
    assert all(not host.running() for host in shelf.hosts.values())


def test_a_limited_run_has_the_head_as_well(shelf: ModelShelf) -> None:
    ended = bootstrap("--limit", "b", "--dry-run", "--output", "json")
    assert [host["host"] for host in json.loads(ended.stdout)["plan"]] == ["a", "b"]


def test_two_at_once_would_harm_each_other(shelf: ModelShelf) -> None:
    with alone(FarmHome.of(os.environ).folder("shelf")):
        ended = bootstrap()
    assert ended.exit_code == 1
    assert "another farm command on this machine is changing farm 'shelf'" in ended.stderr
    assert all(host.questions == 0 for host in shelf.hosts.values())


def test_a_password_is_asked_for_only_where_somebody_can_answer(shelf: ModelShelf) -> None:
    ended = bootstrap("--ask-sudo-password")
    assert ended.exit_code == 2
    assert "keyring set bramble-farm shelf" in ended.stderr
