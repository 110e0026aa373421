"""Upgrades: in place where the head can stay, over a second cluster where it cannot."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from farm.contexts import FarmHome
from farm.core.errors import ConfigurationError
from farm.core.revocations import RevocationReason
from farm.core.roles import Role
from farm.core.token_files import write_tokens
from farm.core.tokens import Tokens
from farm.pki import REVOCATIONS_FILE, Authority, revoke
from farm.sections.meter import Meter, MeterType
from playbooks import layout, rollout
from playbooks.cache import CachedFile, sha256_of
from playbooks.outcomes import HostStatus
from playbooks.rollout import RolloutSettings
from playbooks.runner import Runner
from playbooks.upgrade import Upgrade
from tests.unit.playbooks.model_shelf import ModelShelf
from tests.unit.playbooks.shelf_gateway import ShelfGateway, running_gateway


@pytest.fixture
def gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ShelfGateway]:
    monkeypatch.setattr(rollout, "_SETTLE_S", 0.0)
    with running_gateway(FarmHome(tmp_path / "home")) as running:
        yield running


@pytest.fixture
def shelf(tmp_path: Path, gateway: ShelfGateway) -> ModelShelf:
    """A farm that serves: a head `a` and the nodes `b` and `c`."""
    made = ModelShelf(tmp_path, gateway, "abc", both=False)
    assert made.errors(made.run()[1]) == {}
    settle(made)
    return made


def settle(shelf: ModelShelf) -> None:
    shelf.gateway.actions.clear()
    for host in shelf.hosts.values():
        host.changes.clear()
        host.breaks_at = 0


def another_version(shelf: ModelShelf) -> None:
    """Let the operator's machine have another wheel of the farm."""
    path = shelf.folder / "cache" / "own-2-py3-none-any.whl"
    path.write_bytes(b"another")
    shelf.wheelhouse.own = CachedFile.of(path, sha256_of(path))


def upgraded(shelf: ModelShelf, **settings: object) -> Runner:
    order, runner = shelf.order(**settings)
    Upgrade(order=order, runner=runner, rollout=RolloutSettings(floor=0.5)).run()
    return runner


def releases(shelf: ModelShelf) -> dict[str, set[str]]:
    """The releases that each host's running services have."""
    found = {}
    for name, host in shelf.hosts.items():
        units = [unit.removeprefix("farm-").removesuffix(".service") for unit in host.running()]
        links = (layout.link(unit.replace("@", "-")) for unit in units)
        found[name] = {host.paths[link].target for link in links}
    return found


def test_what_is_up_to_date_is_left_alone(shelf: ModelShelf) -> None:
    runner = upgraded(shelf)
    assert {record.status for record in runner.records.values()} == {HostStatus.UNCHANGED}
    assert shelf.gateway.actions == []


def test_who_is_revoked_is_told_and_no_head_is_replaced_for_it(shelf: ModelShelf) -> None:
    folder = shelf.home.folder("shelf").authority
    now = datetime.now(UTC)
    revoke(Authority.load(folder), folder, [7], reason=RevocationReason.SUPERSEDED, now=now)
    upgraded(shelf)
    head = shelf.hosts["a"]
    listed = head.paths[layout.REVOCATIONS].content
    assert listed == (folder / REVOCATIONS_FILE).read_bytes()
    assert head.running() == {"farm-head@a.service", "farm-gateway@a.service"}


def test_tokens_that_are_new_come_along_and_replace_no_head(shelf: ModelShelf) -> None:
    tokens, _ = Tokens().issue("ci", Role.INFER, now=datetime.now(UTC), days=1)
    write_tokens(shelf.home.folder("shelf").tokens, tokens)
    upgraded(shelf)
    head = shelf.hosts["a"]
    assert Tokens.of_json(head.paths[layout.TOKENS].content) == tokens
    assert head.running() == {"farm-head@a.service", "farm-gateway@a.service"}


def test_another_version_goes_node_by_node_under_the_same_head(shelf: ModelShelf) -> None:
    before = releases(shelf)
    another_version(shelf)
    runner = upgraded(shelf)
    assert shelf.errors(runner) == {}
    head = shelf.hosts["a"]
    assert head.running() == {"farm-head@a.service", "farm-gateway@b.service"}
    assert head.units["farm-head@a.service"].starts == 1
    assert shelf.gateway.actions == [("cordon", "b"), ("cordon", "c")]
    assert all(releases(shelf)[name].isdisjoint(before[name]) for name in "bc")
    assert upgraded(shelf).records["b"].status is HostStatus.UNCHANGED


def test_the_release_of_before_stays_to_go_back_to(shelf: ModelShelf) -> None:
    before = releases(shelf)["b"]
    own = shelf.wheelhouse.own
    another_version(shelf)
    upgraded(shelf)
    assert before < {path for path in shelf.hosts["b"].paths if path.startswith(layout.RELEASES)}
    settle(shelf)
    shelf.wheelhouse.own = own
    assert shelf.errors(upgraded(shelf)) == {}
    assert releases(shelf)["b"] == before
    assert not any("install release" in change for change in shelf.hosts["b"].changes)


def test_a_head_that_has_to_change_is_changed_over_a_second_cluster(shelf: ModelShelf) -> None:
    # What it was started with has changed, and Ray takes its certificate once.
    shelf.hosts["a"].units["farm-head@a.service"].stamp = "of an older certificate"
    runner = upgraded(shelf)
    assert shelf.errors(runner) == {}
    head = shelf.hosts["a"]
    assert head.running() == {"farm-head@b.service", "farm-gateway@b.service"}
    for name in "bc":
        settings = shelf.hosts[name].paths[layout.NODE_CONFIG].content
        assert b"head: 198.18.0.1:6500" in settings
    assert layout.head_config("a") not in head.paths
    assert upgraded(shelf).records["a"].status is HostStatus.UNCHANGED


def test_a_head_that_serves_gets_its_meter_over_a_second_cluster(
    tmp_path: Path, gateway: ShelfGateway
) -> None:
    shelf = ModelShelf(tmp_path, gateway, "ab", both=True)
    assert shelf.errors(shelf.run()[1]) == {}
    a, b = shelf.inventory.hosts
    hosts = (a.model_copy(update={"meter": Meter(type=MeterType.PMIC)}), b)
    shelf.inventory = shelf.inventory.model_copy(update={"hosts": hosts})
    assert shelf.errors(shelf.run()[1]) == {}
    settle(shelf)
    assert shelf.errors(upgraded(shelf)) == {}
    assert shelf.hosts["a"].running() == {"farm-head@b.service", "farm-gateway@a.service"}
    assert upgraded(shelf).records["a"].status is HostStatus.UNCHANGED


@pytest.mark.parametrize("second_cluster", [False, True])
@pytest.mark.parametrize("name", "ab")
def test_one_that_was_cut_off_after_any_change_is_completed_by_the_next(
    shelf: ModelShelf, name: str, second_cluster: bool
) -> None:
    another_version(shelf)
    if second_cluster:
        shelf.hosts["a"].units["farm-head@a.service"].stamp = "of an older certificate"
    host = shelf.hosts[name]
    host.unheard = True
    for more in range(1, 200):
        host.breaks_at = len(host.changes) + 1 + more % 2
        runner = upgraded(shelf)
        if runner.records[name].status is not HostStatus.FAILED:
            break
    assert shelf.errors(runner) == {}
    letter = "b" if second_cluster else "a"
    assert f"farm-head@{letter}.service" in shelf.hosts["a"].running()
    assert len(shelf.hosts["a"].running()) == 2
    wanted = {layout.release(each) for each in releases_wanted(shelf)}
    assert releases(shelf)["b"] <= wanted
    assert releases(shelf)["c"] <= wanted
    for each in "bc":
        assert layout.CORDONED not in shelf.hosts[each].paths
        assert layout.DRAINED not in shelf.hosts[each].paths


def releases_wanted(shelf: ModelShelf) -> set[str]:
    """The names of releases that have this machine's wheel."""
    digest = shelf.wheelhouse.own.sha256
    return {
        path.removeprefix(f"{layout.WHEELS}/").removesuffix(".txt")
        for host in shelf.hosts.values()
        for path, entry in host.paths.items()
        if path.startswith(layout.WHEELS) and digest in entry.content.decode("latin-1")
    }


@pytest.mark.parametrize("second_cluster", [False, True])
def test_a_dry_run_tells_all_of_it_and_touches_nothing(
    shelf: ModelShelf, second_cluster: bool
) -> None:
    another_version(shelf)
    if second_cluster:
        shelf.hosts["a"].units["farm-head@a.service"].stamp = "of an older certificate"
    runner = upgraded(shelf, dry_run=True)
    assert shelf.errors(runner) == {}
    told = {name: [c.command for c in record.changes] for name, record in runner.records.items()}
    assert all("sudo systemctl restart farm-node.service" in told[name] for name in "bc")
    assert ("sudo systemctl restart farm-head@b.service" in told["a"]) is second_cluster
    assert all(not host.changes for host in shelf.hosts.values())
    assert shelf.gateway.actions == []


def test_a_farm_that_does_not_serve_is_brought_up_first(shelf: ModelShelf) -> None:
    shelf.hosts["a"].units["farm-gateway@a.service"].active = False
    with pytest.raises(ConfigurationError, match="`farm bootstrap` brings it up"):
        upgraded(shelf)


def test_no_host_is_left_behind(shelf: ModelShelf) -> None:
    another_version(shelf)
    shelf.hosts["c"].breaks_at = 1
    before = releases(shelf)
    runner = upgraded(shelf)
    assert runner.records["c"].status is HostStatus.FAILED
    assert runner.records["b"].skipped == "c cannot be upgraded"
    assert releases(shelf) == before
