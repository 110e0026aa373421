"""What bootstrap writes is what services read."""

from pathlib import Path

import pytest

from farm.inventory import FarmSettings, Host, Inventory
from farm.run_config import (
    GatewayRunConfig,
    HeadRunConfig,
    NodeRunConfig,
    load_run_config,
)
from playbooks import layout
from playbooks.settings import gateway_settings, head_settings, memory_max_mb, node_settings


def host(name: str = "pi-1", **fields: object) -> Host:
    return Host.model_validate({"name": name, "address": "198.18.0.10", **fields})


def shelf(*hosts: Host, **gateway: object) -> Inventory:
    farm = FarmSettings.model_validate({"name": "shelf", "gateway": gateway})
    return Inventory(farm=farm, hosts=hosts)


def kept(tmp_path: Path, text: bytes) -> Path:
    file = tmp_path / "settings.yaml"
    file.write_bytes(text)
    return file


@pytest.mark.parametrize(
    ("address", "head"), [("198.18.0.11", "198.18.0.10"), ("2001:db8::11", "2001:db8::10")]
)
@pytest.mark.parametrize(("cluster", "base"), [("a", 6400), ("b", 6500)])
def test_a_node(tmp_path: Path, address: str, head: str, cluster: str, base: int) -> None:
    text = node_settings(host(), head=head, address=address, cluster=cluster)
    machine = load_run_config(NodeRunConfig, kept(tmp_path, text)).machine()
    assert (machine.name, machine.address, machine.port_base) == ("pi-1", address, base)
    assert machine.head == (f"[{head}]:{base}" if ":" in head else f"{head}:{base}")
    assert str(machine.token) == layout.RAY_TOKEN


@pytest.mark.parametrize("role", ["head", "both"])
def test_a_head(tmp_path: Path, role: str) -> None:
    text = head_settings(host(role=role), address="198.18.0.10", cluster="b")
    machine = load_run_config(HeadRunConfig, kept(tmp_path, text)).machine()
    assert machine.head == "198.18.0.10:6500"
    assert machine.serves == (role == "both")


@pytest.mark.parametrize(
    ("tls", "clients"), [("off", None), ("server", "none"), ("mutual", "required")]
)
def test_a_gateway(tmp_path: Path, tls: str, clients: str | None) -> None:
    nodes = [host("pi-1", role="both"), host("pi-2", slots=3), host("pi-3", threads_per_slot=2)]
    inventory = shelf(*nodes, host("pi-4"), tls=tls, grpc="0.0.0.0:9001")
    cores = {"pi-1": 4, "pi-2": 4, "pi-3": 4}
    text = gateway_settings(inventory, address="198.18.0.10", cluster="a", cores=cores)
    config = load_run_config(GatewayRunConfig, kept(tmp_path, text))
    assert config.farm.grpc == "0.0.0.0:9001"
    assert (config.farm.tls.clients if config.farm.tls else None) == clients
    known = {node.node_id: (node.slots, node.threads_per_slot) for node in config.node_settings()}
    assert known == {"pi-1": (4, 1), "pi-2": (3, 1), "pi-3": (2, 2)}, "pi-4 never ran"


def test_a_node_has_a_slot_however_few_its_cores_are(tmp_path: Path) -> None:
    inventory = shelf(host("pi-1", role="both", threads_per_slot=4))
    text = gateway_settings(inventory, address="198.18.0.10", cluster="a", cores={"pi-1": 1})
    (node,) = load_run_config(GatewayRunConfig, kept(tmp_path, text)).node_settings()
    assert node.slots == 1


@pytest.mark.parametrize(
    ("own", "total", "bound"),
    [(None, 4000, 3776), (None, 300, 128), (None, None, None), (512, 4000, 512), (512, None, 512)],
)
def test_the_memory_of_services_is_a_round_number(
    own: int | None, total: int | None, bound: int | None
) -> None:
    assert memory_max_mb(host(memory_max_mb=own), total) == bound


def test_kernels_that_count_some_megabytes_differently_change_no_unit() -> None:
    assert memory_max_mb(host(), 4018) == memory_max_mb(host(), 3990)
