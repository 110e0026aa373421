"""What a scrape shows of a snapshot: every reading under its name, and none that nobody took."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry

from farm import __version__
from farm.core.energy import Band, EnergySource, Power
from farm.core.models import ModelKey, ModelState
from farm.core.nodes import NodeProfile, NodeState, NodeVitals
from farm.core.snapshots import (
    EnergyTotals,
    FarmSnapshot,
    GatewayState,
    ModelSnapshot,
    NodeSnapshot,
)
from farm.metrics.farm_gauges import FarmGauges

VITALS = NodeVitals(
    incarnation="i", slots_busy=1, cpu_fraction=0.5, memory_total_bytes=8 << 30,
    memory_available_bytes=6 << 30, temperature_c=61.5, clock_hz=1.5e9, batches_total=0,
    rows_total=0, failures_total=0, digests=(), throttle_flags=0x50005, speed=0.625,
    meter="shelly",
)  # fmt: skip
NODE = NodeSnapshot(
    node_id="pi-1",
    state=NodeState.READY,
    reason="",
    profile=NodeProfile(
        node_id="pi-1", incarnation="i", slots=2, host="pi-1", board="Raspberry Pi 5",
        cpu_class="cortex-a76", architecture="aarch64", runtime_version="1.27.0",
    ),
    vitals=VITALS,
    heartbeat_age_s=0.5,
    inflight_batches=1,
    power=Power(Band(4.0, 5.0, 6.0), EnergySource.MEASURED),
)  # fmt: skip
MODEL = ModelSnapshot(
    key=ModelKey("m", 3), state=ModelState.READY, reason="", digest="d", max_batch_size=8,
    batching_reason="", ready_nodes=("pi-1",), queued_requests=7, requests_total=0,
    failures_total=0,
)  # fmt: skip
FARM = FarmSnapshot(
    taken_unix_ns=1_000_000_000,
    farm_name="shelf",
    gateway_state=GatewayState.SERVING,
    nodes=(NODE,),
    models=(MODEL,),
    queued_requests=7,
    inflight_batches=1,
    energy=EnergyTotals(measured_j=3.0, modelled_j=2.0, assumed_j=1.0, cost=0.5, currency="EUR"),
)


class StoppedClock:
    """It is 2 seconds past the epoch."""

    def monotonic(self) -> float:
        return 0.0

    def unix_ns(self) -> int:
        return 2_000_000_000


def scraped(farm: FarmSnapshot = FARM, drops: int | None = 0) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(
        FarmGauges(
            lambda: farm,
            clock=StoppedClock(),
            ledger_drops=lambda: drops,
            unread_bytes=lambda: 4096,
        )
    )
    return registry


def of_node(node: NodeSnapshot) -> CollectorRegistry:
    return scraped(replace(FARM, nodes=(node,)))


def series(registry: CollectorRegistry, name: str) -> list[tuple[Mapping[str, str], float]]:
    return [
        (sample.labels, sample.value)
        for family in registry.collect()
        for sample in family.samples
        if sample.name == name
    ]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("farm_node_slots", 2),
        ("farm_node_slots_busy", 1),
        ("farm_node_batches_in_flight", 1),
        ("farm_node_cpu_ratio", 0.5),
        ("farm_node_memory_bytes", 8 << 30),
        ("farm_node_memory_available_bytes", 6 << 30),
        ("farm_node_temperature_celsius", 61.5),
        ("farm_node_clock_hertz", 1.5e9),
        ("farm_node_speed_ratio", 0.625),
        ("farm_node_cordoned", 0),
        # Half a second at the snapshot, which is a second old.
        ("farm_node_heartbeat_age_seconds", 1.5),
        ("farm_node_undervoltage", 1),
        ("farm_node_frequency_capped", 0),
        ("farm_node_throttled", 1),
        ("farm_node_soft_temperature_limit", 0),
        ("farm_node_undervoltage_since_boot", 1),
        ("farm_node_frequency_capped_since_boot", 0),
        ("farm_node_throttled_since_boot", 1),
        ("farm_node_soft_temperature_limit_since_boot", 0),
    ],
)
def test_a_reading_of_a_node_has_its_own_gauge(name: str, shown: float) -> None:
    assert series(scraped(), name) == [({"node": "pi-1"}, shown)]


@pytest.mark.parametrize("bit", [0, 1, 2, 3, 16, 17, 18, 19])
def test_a_throttle_flag_means_one_gauge(bit: int) -> None:
    registry = of_node(replace(NODE, vitals=replace(VITALS, throttle_flags=1 << bit)))
    flags = ("undervoltage", "frequency_capped", "throttled", "soft_temperature_limit")
    names = [f"farm_node_{flag}{when}" for when in ("", "_since_boot") for flag in flags]
    shown = [series(registry, name)[0][1] for name in names]
    assert shown == [each == (bit if bit < 4 else bit - 12) for each in range(8)]


def test_a_reading_that_nobody_took_has_no_series() -> None:
    vitals = replace(VITALS, temperature_c=None, clock_hz=None, throttle_flags=None, meter="")
    node = replace(NODE, vitals=vitals, power=None, heartbeat_age_s=None)
    registry = of_node(node)
    for name in ("temperature_celsius", "clock_hertz", "undervoltage", "throttled_since_boot",
                 "power_watts", "meter_fault", "heartbeat_age_seconds"):  # fmt: skip
        assert series(registry, f"farm_node_{name}") == []


def test_of_a_node_that_never_came_only_its_state_is_known() -> None:
    node = NodeSnapshot(
        node_id="pi-2", state=NodeState.JOINING, reason="", profile=None, vitals=None,
        heartbeat_age_s=None,
    )  # fmt: skip
    registry = of_node(node)
    shown = {f.name for f in registry.collect() for s in f.samples if "node" in s.labels}
    assert shown == {"farm_node_state", "farm_node_cordoned", "farm_node_batches_in_flight"}


def test_a_lost_nodes_last_words_are_not_shown_as_if_they_held() -> None:
    registry = of_node(replace(NODE, state=NodeState.LOST))
    assert series(registry, "farm_node_temperature_celsius") == []
    assert series(registry, "farm_node_power_watts") == []
    assert series(registry, "farm_node_heartbeat_age_seconds")
    states = {labels["state"]: shown for labels, shown in series(registry, "farm_node_state")}
    assert states == dict.fromkeys(NodeState, 0) | {NodeState.LOST: 1}


def test_watts_say_where_they_come_from() -> None:
    assert series(scraped(), "farm_node_power_watts") == [
        ({"node": "pi-1", "source": "measured"}, 5.0)
    ]
    joules = {labels["source"]: j for labels, j in series(scraped(), "farm_energy_joules_total")}
    assert joules == {"measured": 3.0, "modelled": 2.0, "assumed": 1.0}
    assert series(scraped(), "farm_cost_total") == [({"currency": "EUR"}, 0.5)]


@pytest.mark.parametrize("fault", ["", "it tells of 900 W"])
def test_a_meter_that_is_not_believed_shows(fault: str) -> None:
    registry = of_node(replace(NODE, meter_fault=fault))
    assert series(registry, "farm_node_meter_fault") == [
        ({"node": "pi-1", "meter": "shelly"}, bool(fault))
    ]


def test_what_runs_where_is_told() -> None:
    ((build, _),) = series(scraped(), "farm_build_info")
    assert build["version"] == __version__
    ((node, _),) = series(scraped(), "farm_node_info")
    assert node == {
        "node": "pi-1", "host": "pi-1", "board": "Raspberry Pi 5", "cpu_class": "cortex-a76",
        "architecture": "aarch64", "onnxruntime": "1.27.0",
    }  # fmt: skip


def test_what_clients_have_not_read_is_shown() -> None:
    assert series(scraped(), "farm_unread_answer_bytes") == [({}, 4096)]


def test_states_are_1_for_the_present_one() -> None:
    gateway = {labels["state"]: v for labels, v in series(scraped(), "farm_gateway_state")}
    assert gateway == {"starting": 0, "serving": 1, "draining": 0}
    model = {labels["state"]: v for labels, v in series(scraped(), "farm_model_state")}
    assert model == {"loading": 0, "ready": 1, "unloading": 0, "unavailable": 0}


def test_a_gateway_that_hangs_shows_by_the_age_of_its_snapshot() -> None:
    assert series(scraped(), "farm_snapshot_age_seconds") == [({}, 1.0)]
    # Its clock was set back meanwhile.
    late = replace(FARM, taken_unix_ns=9_000_000_000)
    assert series(scraped(late), "farm_snapshot_age_seconds") == [({}, 0.0)]


def test_drops_are_shown_where_a_ledger_is_kept() -> None:
    assert series(scraped(drops=4), "farm_ledger_drops_total") == [({}, 4)]
    assert series(scraped(drops=None), "farm_ledger_drops_total") == []
