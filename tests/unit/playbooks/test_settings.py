"""What bootstrap writes is what services read."""

from pathlib import Path

import pytest

from farm.inventory import FarmSettings, Host, Inventory
from farm.node.settings import MeterSettings, NodeSettings
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
    ("tls", "grpc", "clients"),
    [
        ("off", "127.0.0.1:9001", None),
        ("server", "0.0.0.0:9001", "none"),
        ("mutual", "0.0.0.0:9001", "required"),
    ],
)
def test_a_gateway(tmp_path: Path, tls: str, grpc: str, clients: str | None) -> None:
    nodes = [host("pi-1", role="both"), host("pi-2", slots=3), host("pi-3", threads_per_slot=2)]
    inventory = shelf(*nodes, host("pi-4"), tls=tls, grpc=grpc)
    cores = {"pi-1": 4, "pi-2": 4, "pi-3": 4}
    text = gateway_settings(inventory, address="198.18.0.10", cluster="a", cores=cores)
    config = load_run_config(GatewayRunConfig, kept(tmp_path, text))
    assert config.farm.grpc == grpc
    assert str(config.farm.tokens) == layout.TOKENS
    assert (config.farm.tls.clients if config.farm.tls else None) == clients
    known = {node.node_id: (node.slots, node.threads_per_slot) for node in config.node_settings()}
    assert known == {"pi-1": (4, 1), "pi-2": (3, 1), "pi-3": (2, 2)}, "pi-4 never ran"


def test_a_gateway_is_told_what_it_exports(tmp_path: Path) -> None:
    tracing = {"endpoint": "http://198.18.0.9:4318/v1/traces", "sample_ratio": 0.5}
    inventory = shelf(host("pi-1", role="both"), metrics_triton=True, tracing=tracing)
    text = gateway_settings(inventory, address="198.18.0.10", cluster="a", cores={"pi-1": 4})
    config = load_run_config(GatewayRunConfig, kept(tmp_path, text)).farm
    assert config.metrics_triton
    assert config.tracing is not None
    assert config.tracing.model_dump() == tracing


def test_a_gateway_is_told_what_power_and_boards_cost_and_a_node_its_meter(tmp_path: Path) -> None:
    power = {
        "currency": "EUR",
        "tariff": {
            "timezone": "Europe/Berlin",
            "periods": [
                {"start": "06:00", "end": "22:00", "price_per_kwh": 0.34},
                {"start": "22:00", "end": "06:00", "price_per_kwh": 0.22},
            ],
        },
        "overhead_w": 6,
        "grid": {"gco2e_per_kwh": 381, "source": "DE, 2023"},
        "fx": [{"from": "USD", "to": "EUR", "rate": 0.9, "date": "2026-11-01", "source": "ECB"}],
        "baseline": "gcp-cloud-run",
        "baselines": "/home/operator/own.toml",
    }
    plug: dict[str, object] = {"type": "shelly", "url": "http://198.18.0.90", "channel": 1}
    plug |= {"interval_s": 5, "max_w": 60}
    head = host("pi-0", role="head", board="rpi4b-4gb", board_price=60)
    node = host("pi-1", board="rpi5-8gb", board_price=80, embodied_kgco2e=12, meter=plug)
    farm = FarmSettings.model_validate({"name": "shelf", "power": power})
    text = gateway_settings(
        Inventory(farm=farm, hosts=(head, node)),
        address="198.18.0.10",
        cluster="a",
        cores={"pi-1": 4},
    )
    config = load_run_config(GatewayRunConfig, kept(tmp_path, text))
    told, meant = config.farm.power, farm.power
    assert told.prices() == meant.prices()
    assert told.exchange() == meant.exchange()
    assert (told.grid, told.baseline) == (meant.grid, "gcp-cloud-run")
    assert told.baselines == Path(layout.BASELINES)
    assert config.farm.ledger.dir == Path(layout.GATEWAY) / "ledger"
    economics = config.economics()
    assert (economics.currency, economics.overhead_w) == ("EUR", 6.0)
    assert economics.hosts == {
        "pi-0": head.economics("pi-0", serves=False),
        "pi-1": node.economics("pi-1"),
    }
    (settings,) = config.node_settings()
    assert settings.board == "rpi5-8gb"
    assert settings.meter == MeterSettings(
        type="shelly", url="http://198.18.0.90", channel=1, interval_s=5.0, max_w=60.0
    )
    assert type(settings.meter.type) is str, "a Pi has no pydantic to read anything else with"


def test_prices_are_no_business_of_a_nodes(tmp_path: Path) -> None:
    def settings(**fields: object) -> list[NodeSettings]:
        farm = FarmSettings.model_validate({"name": "shelf", "power": {"currency": "EUR"}})
        inventory = Inventory(farm=farm, hosts=(host("pi-1", role="both", **fields),))
        text = gateway_settings(inventory, address="198.18.0.10", cluster="a", cores={"pi-1": 4})
        return load_run_config(GatewayRunConfig, kept(tmp_path, text)).node_settings()

    assert settings() == settings(board_price=80, lifetime_years=3, embodied_kgco2e=10)


@pytest.mark.parametrize("role", ["node", "both"])
def test_a_node_runs_with_other_settings_once_its_gateway_tells_it_otherwise(
    tmp_path: Path, role: str
) -> None:
    def text(**fields: object) -> bytes:
        made = host(role=role, **fields)
        if role == "both":
            return head_settings(made, address="198.18.0.10", cluster="a")
        return node_settings(made, head="198.18.0.1", address="198.18.0.10", cluster="a")

    plug = {"type": "http", "url": "http://198.18.0.90", "watts_at": "a\nb: ü"}
    changes: list[dict[str, object]] = [
        {"slots": 2},
        {"threads_per_slot": 2},
        {"board": "rpi5-8gb"},
        {"meter": plug},
        {"meter": plug | {"interval_s": 5}},
        {"meter": plug | {"max_w": 60}},
    ]
    assert len({text(), *(text(**change) for change in changes)}) == 1 + len(changes)
    assert text(board_price=80, lifetime_years=3, labels={"rack": "a"}) == text()
    config = HeadRunConfig if role == "both" else NodeRunConfig
    kept_as = load_run_config(config, kept(tmp_path, text(meter=plug)))
    assert kept_as == load_run_config(config, kept(tmp_path, text()))


def test_a_head_that_serves_nothing_is_told_nothing() -> None:
    def text(**fields: object) -> bytes:
        return head_settings(host(role="head", **fields), address="198.18.0.10", cluster="a")

    assert text(board="rpi5-8gb", meter={"type": "pmic"}) == text()


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
