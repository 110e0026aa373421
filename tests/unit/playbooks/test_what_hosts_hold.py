"""What each host of a shelf is to hold."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from farm.contexts import FarmHome
from farm.core.revocations import RevocationReason
from farm.inventory import FarmSettings, Host, Inventory
from farm.pki import inspect, revoke
from playbooks import layout, services
from playbooks.credentials import Credentials
from playbooks.outcomes import HostStatus
from playbooks.runner import Runner
from playbooks.settings import NO_BASELINES, memory_max_mb
from playbooks.shelf import Shelf
from playbooks.steps.base import Step
from tests.unit.playbooks.model_host import Entry, ModelHost
from tests.unit.playbooks.shelf_texts import sound_pi

NOW = datetime(2026, 11, 1, tzinfo=UTC)
HEAD = Host.model_validate({"name": "pi-1", "address": "198.18.0.1", "role": "head"})
NODE = Host.model_validate({"name": "pi-2", "address": "198.18.0.2"})


def shelf(folder: Path, **farm: object) -> Shelf:
    settings = FarmSettings.model_validate({"name": "shelf", **farm})
    return Shelf(
        inventory=Inventory(farm=settings, hosts=(HEAD, NODE)),
        credentials=Credentials.kept(FarmHome(folder / "home"), "shelf", now=NOW),
        addresses={"pi-1": "198.18.0.1", "pi-2": "198.18.0.2"},
        memory_mb={"pi-2": 1000},
        now=NOW,
    )


def carried_out(host: Host, steps: Sequence[Step]) -> ModelHost:
    """Carry steps out on a host that has the farm's user and folders."""
    model = ModelHost(sound_pi())
    model.user = layout.USER
    for path in (layout.SETTINGS, layout.SOFTWARE, layout.HOME, layout.MODELS):
        model.add_folder(path)
    runner = Runner([host], connect=lambda _: model)
    runner.phase(lambda _: steps)
    assert runner.records[host.name].status is HostStatus.CHANGED, runner.records
    return model


def text(paths: Mapping[str, Entry], path: str) -> str:
    return paths[path].content.decode()


def test_the_gateways_other_names_are_in_the_heads_certificate_alone(tmp_path: Path) -> None:
    names = ["inference.example.org", "198.18.5.5"]
    made = shelf(tmp_path, gateway={"names": names})
    head = inspect(carried_out(HEAD, made.common(HEAD)).paths[layout.CERTIFICATE].content)
    assert set(head.names) == {"pi-1", "inference.example.org"}
    assert set(head.addresses) == {"198.18.0.1", "198.18.5.5"}
    node = inspect(carried_out(NODE, made.common(NODE)).paths[layout.CERTIFICATE].content)
    assert (node.names, node.addresses) == (("pi-2",), ("198.18.0.2",))


def test_a_node_is_told_its_head_its_memory_and_its_release(tmp_path: Path) -> None:
    paths = carried_out(NODE, shelf(tmp_path).node(NODE, "1.0-abc", "b")).paths
    assert "head: 198.18.0.1:6500" in text(paths, layout.NODE_CONFIG)
    bound = memory_max_mb(NODE, 1000)
    assert f"MemoryMax={bound}M" in text(paths, f"{layout.UNITS}/{services.node().unit}")
    assert paths[layout.link("node")].target == layout.release("1.0-abc")


def test_the_head_alone_is_told_who_is_revoked_and_nothing_starts_anew_for_it(
    tmp_path: Path,
) -> None:
    made = shelf(tmp_path)
    held = made.credentials
    revoke(held.authority, held.folder.authority, [7], reason=RevocationReason.SUPERSEDED, now=NOW)
    paths = carried_out(HEAD, (*made.common(HEAD), *made.revocations())).paths
    assert paths[layout.REVOCATIONS].content == held.revocations
    # An upgrade that compares what the head holds finds it as it was.
    assert layout.REVOCATIONS not in carried_out(HEAD, made.head(HEAD, "1.0", "a")).paths
    steps = made.gateway("1.0", cluster="a", letter="a", nodes={})
    gateway = carried_out(HEAD, steps).paths
    assert f"revocations: {layout.REVOCATIONS}" in text(gateway, layout.gateway_config("a"))
    assert layout.REVOCATIONS not in gateway


def test_the_firewall_lets_the_farms_hosts_in(tmp_path: Path) -> None:
    paths = carried_out(NODE, shelf(tmp_path).common(NODE)).paths
    assert "{ 198.18.0.1, 198.18.0.2 } accept" in text(paths, layout.FIREWALL)


@pytest.mark.parametrize("host", [HEAD, NODE])
def test_a_farm_behind_another_firewall_has_none_of_its_own(tmp_path: Path, host: Host) -> None:
    made = shelf(tmp_path, firewall=False)
    held = made.head(host, "1.0", "a") if host is HEAD else made.node(host, "1.0", "a")
    paths = carried_out(host, held).paths
    assert layout.FIREWALL not in paths
    assert f"{layout.UNITS}/{services.firewall().unit}" not in paths
    assert not any(
        services.firewall().unit in entry.content.decode("latin-1").partition("After=")[0]
        for path, entry in paths.items()
        if path.startswith(layout.UNITS)
    )


@pytest.mark.parametrize(("kind", "readable"), [("rapl", True), ("pmic", False), (None, False)])
def test_only_a_node_whose_meter_it_is_may_read_the_processors_counters(
    tmp_path: Path, kind: str | None, readable: bool
) -> None:
    meter = {"type": kind} if kind else None
    node = Host.model_validate({"name": "pi-2", "address": "198.18.0.2", "meter": meter})
    paths = carried_out(node, shelf(tmp_path).node(node, "1.0", "a")).paths
    assert ("energy_uj" in text(paths, f"{layout.UNITS}/{services.node().unit}")) is readable


def test_a_gateway_has_the_operators_own_baselines(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text("[[baseline]]\n")
    for given, held in ((own, "[[baseline]]\n"), (None, NO_BASELINES.decode())):
        power = {"baselines": given} if given else {}
        steps = shelf(tmp_path, power=power).gateway("1.0", cluster="a", letter="a", nodes={})
        assert text(carried_out(HEAD, steps).paths, layout.BASELINES) == held


def test_models_arrive_with_all_that_lies_beside_them(tmp_path: Path) -> None:
    repository = tmp_path / "models"
    for name in ("digits/config.pbtxt", "digits/1/model.onnx", "digits/1/golden/any/a.npz"):
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        (repository / name).write_text(name)
    paths = carried_out(HEAD, shelf(tmp_path).models(repository)).paths
    for name in ("digits/config.pbtxt", "digits/1/model.onnx", "digits/1/golden/any/a.npz"):
        assert text(paths, f"{layout.MODELS}/{name}") == name
