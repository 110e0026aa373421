"""Uninstall leaves a host as bootstrap found it, wherever it was interrupted."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from farm.contexts import FarmHome
from playbooks import rollout
from playbooks.outcomes import HostStatus
from playbooks.runner import Runner, RunnerSettings
from playbooks.uninstall import uninstall
from tests.unit.playbooks.model_shelf import ModelShelf
from tests.unit.playbooks.shelf_gateway import running_gateway


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelShelf]:
    """A farm that serves: a head `a` that serves too, and a node `b`."""
    monkeypatch.setattr(rollout, "_SETTLE_S", 0.0)
    with running_gateway(FarmHome(tmp_path / "home")) as gateway:
        made = ModelShelf(tmp_path, gateway, "ab", both=True)
        _, runner = made.run()
        assert made.errors(runner) == {}
        for host in made.hosts.values():
            host.changes.clear()
        yield made


def removed(shelf: ModelShelf, *, dry_run: bool = False) -> Runner:
    runner = Runner(
        shelf.inventory.hosts,
        connect=lambda host: shelf.hosts[host.name],
        settings=RunnerSettings(dry_run=dry_run),
    )
    uninstall(runner)
    return runner


def is_bare(shelf: ModelShelf, name: str) -> bool:
    host, bare = shelf.hosts[name], shelf.bare(1)
    enabled = [unit for unit in host.units.values() if unit.enabled or unit.active]
    return (host.holds(), host.user, enabled) == (bare.holds(), "", []) and not host.filters


def test_nothing_is_left_and_a_second_run_has_nothing_to_do(shelf: ModelShelf) -> None:
    runner = removed(shelf)
    assert shelf.errors(runner) == {}
    assert is_bare(shelf, "a")
    assert is_bare(shelf, "b")
    again = removed(shelf)
    assert {record.status for record in again.records.values()} == {HostStatus.UNCHANGED}


def test_a_dry_run_removes_nothing(shelf: ModelShelf) -> None:
    runner = removed(shelf, dry_run=True)
    assert all(record.changes for record in runner.records.values())
    assert all(not host.changes for host in shelf.hosts.values())


def test_one_that_was_cut_off_after_any_change_is_completed_by_the_next(
    shelf: ModelShelf,
) -> None:
    host = shelf.hosts["a"]
    host.unheard = True
    while True:
        # The firewall's table is looked for until its unit is gone as well.
        again = "nft delete" in "".join(host.changes[-1:])
        host.breaks_at = len(host.changes) + (2 if again else 1)
        runner = removed(shelf)
        if runner.records["a"].status is not HostStatus.FAILED:
            break
        assert len(host.changes) == host.breaks_at
    assert is_bare(shelf, "a")


def test_a_farm_can_be_set_up_again_afterwards(shelf: ModelShelf) -> None:
    before = {name: host.running() for name, host in shelf.hosts.items()}
    removed(shelf)
    _, runner = shelf.run()
    assert shelf.errors(runner) == {}
    assert {name: host.running() for name, host in shelf.hosts.items()} == before
