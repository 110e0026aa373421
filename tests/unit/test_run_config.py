"""What the services of a farm of several machines read."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from farm.core.errors import ConfigurationError
from farm.run_config import (
    GatewayRunConfig,
    HeadRunConfig,
    NodeRunConfig,
    load_run_config,
)

TLS = {key: f"/etc/farm/tls/{key}.pem" for key in ("ca", "certificate", "key")}
MEMBER: dict[str, Any] = {"address": "198.18.0.11", "tls": TLS, "token": "/etc/farm/ray-token"}
MACHINE = MEMBER | {
    "name": "pi-01",
    "ray_dir": "/var/lib/farm/ray",
    "state_dir": "/var/lib/farm",
}
NODE = MACHINE | {"head": "198.18.0.10:6400"}
HEAD = MACHINE | {"gcs_dir": "/var/lib/farm/gcs"}
GATEWAY: dict[str, Any] = {
    "farm": {
        "name": "shelf",
        "models": "/var/lib/farm/models",
        "state_dir": "/var/lib/farm/gateway",
        "curves_dir": "/var/lib/farm/gateway/curves",
    },
    "cluster": MEMBER,
    "nodes": {"pi-01": {"cache_dir": "/var/lib/farm/node", "slots": 4}},
}


def written(folder: Path, values: Any) -> Path:
    file = folder / "service.yaml"
    file.write_text(values if isinstance(values, str) else yaml.safe_dump(values))
    return file


def test_a_node_joins_the_head_of_its_file(tmp_path: Path) -> None:
    machine = load_run_config(NodeRunConfig, written(tmp_path, NODE)).machine()
    assert (machine.name, machine.address, machine.head) == (
        "pi-01",
        "198.18.0.11",
        "198.18.0.10:6400",
    )
    assert machine.serves
    assert machine.gcs_dir is None
    assert machine.port_base == 6400


@pytest.mark.parametrize("serves", [False, True])
def test_a_head_serves_if_it_is_told_to(tmp_path: Path, serves: bool) -> None:
    values = HEAD | {"port_base": 6500, "serves": serves}
    machine = load_run_config(HeadRunConfig, written(tmp_path, values)).machine()
    assert machine.serves is serves
    assert machine.head == "198.18.0.11:6500"


def test_another_cluster_or_another_ray_finds_none_of_a_heads_tables(tmp_path: Path) -> None:
    folders = {
        load_run_config(HeadRunConfig, written(tmp_path, HEAD | {"port_base": base}))
        .machine()
        .gcs_dir
        for base in (6400, 6500)
    }
    assert len(folders) == 2
    assert all(folder is not None and "2." in folder.name for folder in folders)


def test_a_gateway_tells_its_nodes_what_they_may(tmp_path: Path) -> None:
    config = load_run_config(GatewayRunConfig, written(tmp_path, GATEWAY))
    (settings,) = config.node_settings()
    assert (settings.node_id, settings.slots) == ("pi-01", 4)
    assert settings.cache_dir == Path("/var/lib/farm/node")
    assert settings.batch_port == 6460
    assert settings.own_cores
    assert config.farm.state_dir == Path("/var/lib/farm/gateway")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"tls": TLS | {"key": "key.pem"}}, "tls.key: .*whole path.* not 'key.pem'"),
        ({"address": "pi-01.local"}, "address: .*IPv4.*'pi-01.local'"),
        ({"name": "pi 01"}, "name: .*'pi 01'"),
        ({"port_base": 80}, "port_base: .*1024.*80"),
        ({"heads": "x"}, "heads: there is no such setting"),
        ({"object_store_bytes": 1}, "object_store_bytes: "),
        ({"token": None}, "token: "),
    ],
)
def test_a_wrong_value_is_named_with_its_file_and_key(
    tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"service.yaml: {words}"):
        load_run_config(NodeRunConfig, written(tmp_path, NODE | change))


def test_everything_that_is_missing_is_named_at_once(tmp_path: Path) -> None:
    values = {key: value for key, value in NODE.items() if key not in {"head", "token"}}
    with pytest.raises(ConfigurationError, match=r"token: is missing.*head: is missing"):
        load_run_config(NodeRunConfig, written(tmp_path, values))


def test_a_service_needs_folders_of_its_own(tmp_path: Path) -> None:
    values = GATEWAY | {"farm": {"name": "shelf"}}
    with pytest.raises(ConfigurationError, match=r"farm\.models.*farm\.state_dir"):
        load_run_config(GatewayRunConfig, written(tmp_path, values))


def test_a_machine_that_runs_no_models_is_had_as_well(tmp_path: Path) -> None:
    values = GATEWAY | {"others": {"pi-head": {"board_price": 60}}}
    values["farm"] = GATEWAY["farm"] | {"power": {"currency": "EUR", "price_per_kwh": 0.36}}
    economics = load_run_config(GatewayRunConfig, written(tmp_path, values)).economics()
    assert {name: host.price for name, host in economics.hosts.items()} == {
        "pi-head": 60,
        "pi-01": None,
    }
    assert economics.hosts["pi-01"].host == "pi-01", "many a Pi calls itself raspberrypi"


@pytest.mark.parametrize(
    "change",
    [
        {"others": {"pi-head": {"board_price": 60}}},
        {"nodes": {"pi-01": {"cache_dir": "/var/lib/farm/node", "board_price": 80}}},
    ],
)
def test_boards_have_a_price_in_some_currency_here_too(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    with pytest.raises(ConfigurationError, match=r"farm\.power\.currency is missing"):
        load_run_config(GatewayRunConfig, written(tmp_path, GATEWAY | change))


def test_a_gateway_without_nodes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="nodes: "):
        load_run_config(GatewayRunConfig, written(tmp_path, GATEWAY | {"nodes": {}}))


@pytest.mark.parametrize(
    ("text", "words"), [("", "must be a mapping"), ("- a", "must be"), ("a: [", "is not YAML")]
)
def test_what_is_no_configuration_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        load_run_config(NodeRunConfig, written(tmp_path, text))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nowhere\.yaml cannot be read: No such file"):
        load_run_config(NodeRunConfig, tmp_path / "nowhere.yaml")
