"""Nodes are changed one at a time, drained first, and never more than the floor allows."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from farm.contexts import FarmHome
from farm.inventory import Host
from playbooks import layout, rollout, services, verification
from playbooks.credentials import Credentials
from playbooks.facts.files import Kind
from playbooks.outcomes import HostStatus
from playbooks.rollout import Rollout, RolloutSettings
from playbooks.runner import Runner
from playbooks.steps.base import Step
from playbooks.steps.services import restart
from playbooks.verification import Gateway
from tests.unit.playbooks.minutes import Minutes
from tests.unit.playbooks.model_host import Entry
from tests.unit.playbooks.model_shelf import ModelShelf
from tests.unit.playbooks.shelf_gateway import ShelfGateway, running_gateway

NODE = services.node().unit


@pytest.fixture
def gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ShelfGateway]:
    monkeypatch.setattr(rollout, "_SETTLE_S", 0.0)
    with running_gateway(FarmHome(tmp_path / "home")) as running:
        yield running


@pytest.fixture
def shelf(tmp_path: Path, gateway: ShelfGateway) -> ModelShelf:
    """A farm that serves: a head `a` and the nodes `b`, `c` and `d`."""
    made = ModelShelf(tmp_path, gateway, "abcd", both=False)
    _, runner = made.run()
    assert made.errors(runner) == {}
    gateway.actions.clear()
    for host in made.hosts.values():
        host.changes.clear()
    return made


def roll(shelf: ModelShelf, **settings: float) -> tuple[bool, Runner, list[str]]:
    """Change all nodes by restarting them; return whether all went well, and what was told."""
    nodes = shelf.inventory.nodes
    runner = Runner(nodes, connect=lambda host: shelf.hosts[host.name])
    credentials = Credentials.kept(shelf.home, "shelf", now=datetime.now(tz=UTC))
    told: list[str] = []

    def steps(_: Host) -> Sequence[Step]:
        return [Step(name="anew", plan=lambda _: iter([restart(NODE)]))]

    whole = Rollout(
        runner,
        Gateway(address=shelf.gateway.address, tls=credentials.tls),
        settings=RolloutSettings(**settings),
        tell=told.append,
    ).roll(nodes, steps, go_back="Go back.")
    return whole, runner, told


def cordoned(shelf: ModelShelf) -> set[str]:
    return {name for name, host in shelf.hosts.items() if layout.CORDONED in host.paths}


def test_one_after_the_other_is_drained_changed_and_serves_again(
    shelf: ModelShelf, gateway: ShelfGateway
) -> None:
    whole, runner, told = roll(shelf)
    assert whole
    assert gateway.actions == [("cordon", name) for name in "bcd"]
    assert [line for line in told if "serves again" in line] == [
        f"{name} serves again" for name in "bcd"
    ]
    assert cordoned(shelf) == set()
    assert all(layout.DRAINED not in host.paths for host in shelf.hosts.values())
    assert {record.status for record in runner.records.values()} == {HostStatus.CHANGED}


def test_what_an_operator_took_out_of_service_stays_out(
    shelf: ModelShelf, gateway: ShelfGateway
) -> None:
    shelf.hosts["c"].paths[layout.CORDONED] = Entry(kind=Kind.FILE)
    whole, _, _ = roll(shelf, floor=0.3)
    assert whole
    assert cordoned(shelf) == {"c"}
    assert gateway.actions == [("cordon", "b"), ("cordon", "d")]
    assert any("restart" in change for change in shelf.hosts["c"].changes)


def test_it_stops_at_the_first_that_is_not_well_and_says_how_to_go_back(
    shelf: ModelShelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification, "time", Minutes())
    shelf.sick["c"] = "ejected"
    whole, runner, _ = roll(shelf, floor=0.3)
    assert not whole
    error = runner.records["c"].error
    assert error is not None
    assert "c: it does not serve after its change: ejected" in error.message
    assert error.fix.endswith("Go back.")
    assert runner.records["d"].skipped == "c is not well after its change"
    assert shelf.hosts["d"].changes == []


def test_a_change_that_fails_stops_it_too(shelf: ModelShelf) -> None:
    shelf.hosts["b"].breaks_at = 3
    whole, runner, _ = roll(shelf)
    assert not whole
    assert runner.records["b"].status is HostStatus.FAILED
    error = runner.records["b"].error
    assert error is not None
    assert error.fix.endswith(". Go back.")
    assert all(not shelf.hosts[name].changes for name in "cd")


@pytest.mark.parametrize("cut_at", [1, 2, 3])
def test_one_that_was_interrupted_is_completed_by_the_next(shelf: ModelShelf, cut_at: int) -> None:
    """Its own cordon is not taken for an operator's."""
    shelf.hosts["b"].unheard = True
    shelf.hosts["b"].breaks_at = cut_at
    assert not roll(shelf)[0]
    assert roll(shelf)[0]
    assert cordoned(shelf) == set()
    assert shelf.hosts["b"].running() == {NODE}


def test_the_floor_is_kept(shelf: ModelShelf) -> None:
    shelf.sick |= {"c": "ejected", "d": "ejected"}
    whole, runner, _ = roll(shelf, floor=0.5)
    assert not whole
    error = runner.records["b"].error
    assert error is not None
    assert "b: without it 0 of 3 nodes would serve, and the floor is 50%" in error.message
    assert "--floor" in error.fix
    assert cordoned(shelf) == set()
    assert shelf.hosts["b"].running() == {NODE}


def test_a_node_that_does_not_run_is_changed_at_once(
    shelf: ModelShelf, gateway: ShelfGateway
) -> None:
    shelf.hosts["b"].units[NODE].active = False
    whole, _, _ = roll(shelf)
    assert whole
    assert ("cordon", "b") not in gateway.actions
    assert shelf.hosts["b"].running() == {NODE}


def test_a_node_that_does_not_become_idle_is_left_as_it_is(
    shelf: ModelShelf, gateway: ShelfGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollout, "time", Minutes())
    look = gateway.looks

    def busy() -> None:
        look()
        gateway.nodes["b"].inflight_batches = 2

    gateway.looks = busy
    whole, runner, _ = roll(shelf)
    assert not whole
    error = runner.records["b"].error
    assert error is not None
    assert "b: 2 batches still run there after 120 s" in error.message
    assert shelf.hosts["b"].running() == {NODE}
    assert not any("restart" in change for change in shelf.hosts["b"].changes)


def test_nothing_to_change_is_no_rollout(shelf: ModelShelf, gateway: ShelfGateway) -> None:
    runner = Runner([], connect=lambda host: shelf.hosts[host.name])
    credentials = Credentials.kept(shelf.home, "shelf", now=datetime.now(tz=UTC))
    reached = Gateway(address=gateway.address, tls=credentials.tls)
    made = Rollout(runner, reached, settings=RolloutSettings(), tell=print)
    assert made.roll([], lambda _: [], go_back="")
    assert gateway.actions == []
