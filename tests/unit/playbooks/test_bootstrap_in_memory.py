"""Bootstrap: from bare hosts to a farm, on hosts in memory that insist on the right order."""

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
from farm.pki import Authority, read_revocations, revoke
from farm.sections.meter import Meter, MeterType
from playbooks import layout, rollout, verification
from playbooks.outcomes import HostStatus
from playbooks.pip_failures import NoWheelError
from playbooks.requirements import onnxruntime_versions
from playbooks.runner import Runner
from tests.unit.playbooks.minutes import Minutes
from tests.unit.playbooks.model_host import ModelHost
from tests.unit.playbooks.model_shelf import ModelShelf
from tests.unit.playbooks.shelf_gateway import ShelfGateway, running_gateway

HEAD = {"farm-head@a.service", "farm-gateway@a.service"}
NODE = {"farm-node.service"}
# What the model hosts, like a Pi 4, try in this order.
VERSIONS = onnxruntime_versions("cortex-a72")


@pytest.fixture
def gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ShelfGateway]:
    monkeypatch.setattr(rollout, "_SETTLE_S", 0.0)
    with running_gateway(FarmHome(tmp_path / "home")) as running:
        yield running


@pytest.fixture
def shelf(tmp_path: Path, gateway: ShelfGateway) -> ModelShelf:
    """A head `a` and the nodes `b` and `c`."""
    return ModelShelf(tmp_path, gateway, "abc", both=False)


def statuses(runner: Runner) -> dict[str, HostStatus]:
    return {name: record.status for name, record in runner.records.items()}


def running(shelf: ModelShelf) -> dict[str, set[str]]:
    return {name: host.running() for name, host in shelf.hosts.items()}


def test_bare_hosts_become_a_farm_and_a_second_run_changes_nothing(shelf: ModelShelf) -> None:
    _, first = shelf.run()
    assert shelf.errors(first) == {}
    assert running(shelf) == {"a": HEAD, "b": NODE, "c": NODE}
    done = {name: list(host.changes) for name, host in shelf.hosts.items()}
    report, second = shelf.run()
    assert set(statuses(second).values()) == {HostStatus.UNCHANGED}
    assert {name: host.changes for name, host in shelf.hosts.items()} == done
    assert report.notes == []
    assert report.verification is not None
    assert not report.verification.not_ready


def test_rules_that_somebody_flushed_are_loaded_again(shelf: ModelShelf) -> None:
    shelf.run()
    for host in shelf.hosts.values():
        assert host.filters
        host.filters = False
    _, runner = shelf.run()
    assert shelf.errors(runner) == {}
    assert all(host.filters for host in shelf.hosts.values())


def test_the_operators_machine_knows_the_farm_afterwards(
    shelf: ModelShelf, gateway: ShelfGateway
) -> None:
    shelf.run()
    assert gateway.home.current() == "shelf"
    assert gateway.home.context("shelf").address == gateway.address


def test_one_machine_can_be_all_of_it(tmp_path: Path, gateway: ShelfGateway) -> None:
    shelf = ModelShelf(tmp_path, gateway, "a", both=True)
    _, runner = shelf.run()
    assert shelf.errors(runner) == {}
    assert running(shelf) == {"a": HEAD}


def test_a_new_bootstrap_keeps_those_out_who_are_revoked_and_restarts_nothing(
    shelf: ModelShelf,
) -> None:
    shelf.run()
    head = shelf.hosts["a"]
    folder = shelf.home.folder("shelf").authority
    authority = Authority.load(folder)
    now = datetime.now(UTC)
    revoke(authority, folder, [7], reason=RevocationReason.SUPERSEDED, now=now)
    before = len(head.changes)
    _, runner = shelf.run()
    assert shelf.errors(runner) == {}
    (only,) = head.changes[before:]
    assert only.startswith(f"put {layout.REVOCATIONS} ")
    content = head.paths[layout.REVOCATIONS].content
    assert set(read_revocations(content, authority.certificate_pem).revocations) == {7}
    assert all(layout.REVOCATIONS not in shelf.hosts[name].paths for name in "bc")


def test_a_dry_run_tells_the_plan_and_changes_nothing(shelf: ModelShelf) -> None:
    _, runner = shelf.run(dry_run=True)
    assert shelf.errors(runner) == {}
    assert all(not host.changes for host in shelf.hosts.values())
    assert shelf.wheelhouse.fetched == []
    planned = [change.command for change in runner.records["b"].changes]
    assert any(command.startswith("sudo useradd") for command in planned)
    assert planned[-1] == "sudo systemctl restart farm-node.service"


def test_secrets_are_in_no_record(shelf: ModelShelf) -> None:
    _, runner = shelf.run()
    token = shelf.home.folder("shelf").ray_token.read_text()
    key = shelf.hosts["b"].paths[layout.KEY].content.decode()
    told = repr(runner.records)
    assert token not in told
    assert key.splitlines()[1] not in told


def test_secrets_are_only_their_services(shelf: ModelShelf) -> None:
    shelf.run()
    for host in shelf.hosts.values():
        token, key = host.paths[layout.RAY_TOKEN], host.paths[layout.KEY]
        assert (token.mode, token.owner) == (0o600, "farm:farm")
        assert (key.mode, key.owner) == (0o600, "farm:farm")


def test_tokens_reach_the_gateway_and_restart_nothing(shelf: ModelShelf) -> None:
    shelf.run()
    kept = shelf.home.folder("shelf").tokens
    head, others = shelf.hosts["a"], [shelf.hosts[name] for name in "bc"]
    assert not Tokens.of_json(head.paths[layout.TOKENS].content).issued
    tokens, secret = Tokens().issue("ci", Role.INFER, now=datetime.now(UTC), days=1)
    write_tokens(kept, tokens)
    before, done = len(head.changes), [list(host.changes) for host in others]
    _, runner = shelf.run()
    assert shelf.errors(runner) == {}
    there = head.paths[layout.TOKENS]
    assert (there.mode, there.owner) == (0o600, "farm:farm")
    assert Tokens.of_json(there.content) == tokens
    (only,) = head.changes[before:]
    assert only.startswith(f"put {layout.TOKENS} ")
    assert [host.changes for host in others] == done
    assert secret.rpartition("_")[2] not in repr(runner.records)
    assert all(layout.TOKENS not in host.paths for host in others)


def test_a_damaged_file_of_tokens_is_not_carried(shelf: ModelShelf) -> None:
    shelf.run()
    kept = shelf.home.folder("shelf").tokens
    kept.write_text("{")
    kept.chmod(0o600)
    with pytest.raises(ConfigurationError, match="is damaged"):
        shelf.run()


@pytest.mark.parametrize("name", "ab")
def test_a_run_that_is_cut_off_after_any_change_is_completed_by_the_next(
    tmp_path: Path, gateway: ShelfGateway, name: str
) -> None:
    whole = ModelShelf(tmp_path / "whole", gateway, "ab", both=False)
    whole.run()
    cut = ModelShelf(tmp_path / "cut", gateway, "ab", both=False)
    host = cut.hosts[name]
    host.unheard = True
    # Every run carries out one change more, and does not hear of it.
    while True:
        # What was installed is tried, and a key has its certificate, in the run that began it.
        half = any(begun in "".join(host.changes[-1:]) for begun in ("install release", layout.KEY))
        host.breaks_at = len(host.changes) + (2 if half else 1)
        _, runner = cut.run()
        if statuses(runner)[name] is not HostStatus.FAILED:
            break
        assert len(host.changes) == host.breaks_at
    assert cut.errors(runner) == {}
    # Certificates differ by some bytes.
    done, wanted = (
        [change.partition(" (")[0] for change in dict.fromkeys(each.changes)]
        for each in (host, whole.hosts[name])
    )
    assert list(dict.fromkeys(done)) == wanted
    assert host.running() == whole.hosts[name].running()
    assert host.holds().keys() == whole.hosts[name].holds().keys()


def test_without_its_head_nothing_is_started(shelf: ModelShelf) -> None:
    shelf.hosts["a"].breaks_at = 8
    _, runner = shelf.run()
    assert statuses(runner) == {
        "a": HostStatus.FAILED,
        "b": HostStatus.SKIPPED,
        "c": HostStatus.SKIPPED,
    }
    assert runner.records["b"].skipped == "the head a does not run"
    assert running(shelf) == {"a": set(), "b": set(), "c": set()}


def test_a_node_that_fails_is_left_out_and_the_others_go_on(shelf: ModelShelf) -> None:
    shelf.hosts["b"].breaks_at = 8
    _, runner = shelf.run()
    assert statuses(runner)["b"] is HostStatus.FAILED
    assert running(shelf) == {"a": HEAD, "b": set(), "c": NODE}
    assert "  b:" not in gateway_settings(shelf.hosts["a"]), "what never ran is nobody's node"


def test_a_host_that_cannot_serve_is_told_so_and_left_as_it_is(shelf: ModelShelf) -> None:
    shelf.hosts["b"].texts |= ModelHost({"own name": "name=b\n"}).texts
    _, runner = shelf.run()
    error = runner.records["b"].error
    assert error is not None
    assert "cannot resolve its own name" in error.message
    assert "/etc/hosts" in error.fix
    assert shelf.hosts["b"].changes == []
    assert running(shelf)["c"] == NODE


def test_a_node_that_does_not_come_up_is_told(
    shelf: ModelShelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification, "time", Minutes())
    shelf.sick["c"] = "ejected"
    _, runner = shelf.run()
    assert shelf.errors(runner) == {
        "c": "c: it runs and does not serve: ejected: no reason given",
    }


def test_a_limited_run_touches_no_other_host_and_keeps_its_place(shelf: ModelShelf) -> None:
    shelf.run()
    before = gateway_settings(shelf.hosts["a"])
    shelf.hosts["b"] = shelf.bare(2)
    done = list(shelf.hosts["c"].changes)
    _, runner = shelf.run("a", "b")
    assert shelf.errors(runner) == {}
    assert shelf.hosts["c"].changes == done
    assert running(shelf) == {"a": HEAD, "b": NODE, "c": NODE}
    assert gateway_settings(shelf.hosts["a"]) == before


def test_what_runs_otherwise_is_drained_first(shelf: ModelShelf, gateway: ShelfGateway) -> None:
    shelf.run()
    memory = {"memory_max_mb": 512}
    hosts = [host.model_copy(update=memory) for host in shelf.inventory.hosts]
    shelf.inventory = shelf.inventory.model_copy(update={"hosts": tuple(hosts)})
    seen = []

    def looks() -> None:
        starts = {name: shelf.hosts[name].units["farm-node.service"].starts for name in "bc"}
        seen.append((*gateway.actions, starts))

    meets = gateway.meets

    def watched(action: str, node: str) -> None:
        looks()
        meets(action, node)

    gateway.meets = watched
    _, runner = shelf.run()
    looks()
    assert shelf.errors(runner) == {}
    assert seen == [
        ({"b": 1, "c": 1},),
        (("cordon", "b"), {"b": 2, "c": 1}),
        (("cordon", "b"), ("cordon", "c"), {"b": 2, "c": 2}),
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"meter": Meter(type=MeterType.PMIC, interval_s=5)},
        {"board": "rpi5-8gb"},
        {"slots": 2},
        {"threads_per_slot": 2},
    ],
)
def test_what_a_node_is_told_reaches_it_and_no_other_by_the_new_gateway(
    shelf: ModelShelf, gateway: ShelfGateway, change: dict[str, object]
) -> None:
    shelf.run()
    a, b, c = shelf.inventory.hosts
    hosts = (a, b.model_copy(update=change), c)
    shelf.inventory = shelf.inventory.model_copy(update={"hosts": hosts})
    head = shelf.hosts["a"]
    head.lingers = True
    serving = []
    meets = gateway.meets

    def watched(action: str, node: str) -> None:
        serving.append(head.running() - {"farm-head@a.service"})
        meets(action, node)

    gateway.meets = watched
    _, runner = shelf.run()
    assert shelf.errors(runner) == {}
    assert gateway.actions == [("cordon", "b")]
    assert serving == [{"farm-gateway@b.service"}]
    starts = {name: shelf.hosts[name].units["farm-node.service"].starts for name in "bc"}
    assert starts == {"b": 2, "c": 1}
    _, again = shelf.run()
    assert set(statuses(again).values()) == {HostStatus.UNCHANGED}


@pytest.mark.parametrize(("change", "starts"), [({"board": "rpi5-8gb"}, 2), ({}, 1)])
def test_a_board_that_was_replaced_is_no_longer_what_the_gateway_of_before_knew(
    shelf: ModelShelf, gateway: ShelfGateway, change: dict[str, object], starts: int
) -> None:
    shelf.run()
    a, b, c = shelf.inventory.hosts
    hosts = (a, b.model_copy(update=change), c)
    shelf.inventory = shelf.inventory.model_copy(update={"hosts": hosts})
    shelf.hosts["b"] = shelf.bare(2)
    shelf.hosts["a"].lingers = True
    _, runner = shelf.run()
    assert shelf.errors(runner) == {}
    assert shelf.hosts["b"].units["farm-node.service"].starts == starts
    assert len(running(shelf)["a"]) == 2, "the gateway of before is waited for"
    assert layout.CORDONED not in shelf.hosts["b"].paths


def test_a_board_that_was_replaced_while_no_gateway_ran_is_started_once(
    shelf: ModelShelf, gateway: ShelfGateway
) -> None:
    shelf.run()
    a, b, c = shelf.inventory.hosts
    hosts = (a, b.model_copy(update={"board": "rpi5-8gb"}), c)
    shelf.inventory = shelf.inventory.model_copy(update={"hosts": hosts})
    shelf.hosts["b"] = shelf.bare(2)
    shelf.hosts["a"].units["farm-gateway@a.service"].active = False
    _, runner = shelf.run()
    assert shelf.errors(runner) == {}
    assert running(shelf)["a"] == HEAD
    assert shelf.hosts["b"].units["farm-node.service"].starts == 1
    assert gateway.actions == []


def test_a_head_that_serves_is_not_interrupted_for_its_meter(
    tmp_path: Path, gateway: ShelfGateway
) -> None:
    shelf = ModelShelf(tmp_path, gateway, "ab", both=True)
    shelf.run()
    a, b = shelf.inventory.hosts
    hosts = (a.model_copy(update={"meter": Meter(type=MeterType.PMIC)}), b)
    shelf.inventory = shelf.inventory.model_copy(update={"hosts": hosts})
    report, runner = shelf.run()
    assert shelf.errors(runner) == {}
    assert shelf.hosts["a"].units["farm-head@a.service"].starts == 1
    (note,) = report.notes
    assert "`farm upgrade` brings it what has changed since" in note


def test_a_host_that_is_taken_out_interrupts_no_other(
    shelf: ModelShelf, gateway: ShelfGateway
) -> None:
    shelf.run()
    a, b, _ = shelf.inventory.hosts
    shelf.inventory = shelf.inventory.model_copy(update={"hosts": (a, b)})
    report, runner = shelf.run()
    assert shelf.errors(runner) == {}
    (note,) = report.notes
    assert "farm uninstall --limit c" in note
    assert gateway.actions == []
    assert shelf.hosts["b"].units["farm-node.service"].starts == 1
    for name in "ab":
        assert b"198.18.0.3" not in shelf.hosts[name].paths[layout.FIREWALL].content


def test_a_gateway_is_handed_over_when_what_it_reads_has_changed(shelf: ModelShelf) -> None:
    shelf.run()
    farm = shelf.inventory.farm
    names = farm.gateway.model_copy(update={"metrics": "127.0.0.1:9102"})
    shelf.replace(gateway=names)
    _, runner = shelf.run()
    assert shelf.errors(runner) == {}
    head = shelf.hosts["a"]
    assert head.running() == {"farm-head@a.service", "farm-gateway@b.service"}
    assert head.signals == ["farm-gateway@a.service"]
    assert not head.units["farm-gateway@a.service"].enabled
    assert head.units["farm-gateway@b.service"].enabled


def test_another_tariff_is_the_gateways_business_alone(shelf: ModelShelf) -> None:
    shelf.run()
    done = {name: list(shelf.hosts[name].changes) for name in "bc"}
    power = shelf.inventory.farm.power.model_copy(update={"price_per_kwh": 0.36, "currency": "EUR"})
    shelf.replace(power=power)
    _, runner = shelf.run()
    assert shelf.errors(runner) == {}
    assert shelf.hosts["a"].running() == {"farm-head@a.service", "farm-gateway@b.service"}
    assert {name: shelf.hosts[name].changes for name in "bc"} == done
    _, again = shelf.run()
    assert set(statuses(again).values()) == {HostStatus.UNCHANGED}


def test_a_version_of_onnxruntime_that_dies_there_gives_way_to_the_next(
    shelf: ModelShelf,
) -> None:
    first, second, *_ = VERSIONS
    b = shelf.hosts["b"]
    b.refuses = {first}
    _, runner = shelf.run()
    assert shelf.errors(runner) == {}
    tried = [change for change in b.changes if "try onnxruntime" in change]
    assert tried == [f"sudo try onnxruntime {version}" for version in (first, second)]
    assert f"{b.paths[layout.link('node')].target}/.complete" in b.paths
    _, again = shelf.run()
    assert statuses(again)["b"] is HostStatus.UNCHANGED, "what was refused is not tried again"


def test_a_host_on_which_no_version_runs(shelf: ModelShelf) -> None:
    shelf.hosts["b"].refuses = set(VERSIONS)
    _, runner = shelf.run()
    error = runner.records["b"].error
    assert error is not None
    assert "no version of onnxruntime runs on its CPU (tried " in error.message
    assert ".refused" in error.fix
    assert running(shelf) == {"a": HEAD, "b": set(), "c": NODE}


def test_a_version_without_a_wheel_for_the_host_is_passed_over(shelf: ModelShelf) -> None:
    first, second, *_ = VERSIONS
    shelf.wheelhouse.lacks = {first: NoWheelError("no wheel for this machine")}
    _, runner = shelf.run()
    assert shelf.errors(runner) == {}
    assert set(shelf.wheelhouse.fetched) == {first, second}
    assert running(shelf)["b"] == NODE


def test_where_no_version_has_a_wheel_the_last_ones_error_says_so(shelf: ModelShelf) -> None:
    shelf.wheelhouse.lacks = {
        version: NoWheelError(f"no wheel of {version} for this machine") for version in VERSIONS
    }
    _, runner = shelf.run()
    assert f"no wheel of {VERSIONS[-1]}" in shelf.errors(runner)["b"]


def gateway_settings(head: ModelHost) -> str:
    return head.paths[layout.gateway_config("a")].content.decode()
