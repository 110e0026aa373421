"""Every node's own gauges. A reading that a node cannot take has no series, never a 0."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from prometheus_client.core import GaugeMetricFamily, Metric

from farm.core.nodes import NodeState, NodeVitals
from farm.core.snapshots import NodeSnapshot

# Of a heartbeat. A node that is lost has none that is true now.
_READINGS: Mapping[str, tuple[str, Callable[[NodeVitals], float | None]]] = {
    "slots_busy": ("Batches that run on a node now.", lambda v: v.slots_busy),
    "cpu_ratio": ("The share of a node's processor time that is used.", lambda v: v.cpu_fraction),
    "memory_bytes": ("Memory that a node has.", lambda v: v.memory_total_bytes),
    "memory_available_bytes": (
        "Memory that a node could give to programs.",
        lambda v: v.memory_available_bytes,
    ),
    "temperature_celsius": ("How hot a node's processor is.", lambda v: v.temperature_c),
    "clock_hertz": ("The clock of a node's processor.", lambda v: v.clock_hz),
    "speed_ratio": (
        "The clock as a share of the highest where something throttles a node, else 1.",
        lambda v: v.speed,
    ),
}

# Bits of a Raspberry Pi's `get_throttled`; the same 16 bits higher say that it has occurred.
_FLAGS: Mapping[str, tuple[str, int]] = {
    "undervoltage": ("the supply's voltage is too low", 0),
    "frequency_capped": ("the firmware caps the clock", 1),
    "throttled": ("the firmware throttles the clock", 2),
    "soft_temperature_limit": ("the soft temperature limit is reached", 3),
}
_SINCE_BOOT = 16


def node_gauges(nodes: Sequence[NodeSnapshot], *, age_s: float) -> Iterable[Metric]:
    """Yield the gauges of nodes in a snapshot that is so old."""
    yield from _standing(nodes, age_s)
    present = [node for node in nodes if node.state is not NodeState.LOST]
    for name, (meaning, read) in _READINGS.items():
        yield _readings(present, name, meaning, read)
    for name, (meaning, bit) in _FLAGS.items():
        yield _readings(present, name, f"1 while {meaning}.", partial(_flag, bit=bit))
        yield _readings(
            present,
            f"{name}_since_boot",
            f"1 once {meaning}, until the board restarts.",
            partial(_flag, bit=bit + _SINCE_BOOT),
        )
    yield from _power(present)


def _standing(nodes: Sequence[NodeSnapshot], age_s: float) -> Iterable[Metric]:
    info = GaugeMetricFamily(
        "farm_node_info",
        "Always 1; what a node is.",
        labels=("node", "host", "board", "cpu_class", "architecture", "onnxruntime"),
    )
    states = GaugeMetricFamily(
        "farm_node_state", "1 for the state that a node is in.", labels=("node", "state")
    )
    cordoned = _gauge("cordoned", "1 if an operator took a node out of service.")
    silent = _gauge("heartbeat_age_seconds", "Since a node was last heard.")
    slots = _gauge("slots", "Batches that a node runs at once, unless a model says otherwise.")
    inflight = _gauge("batches_in_flight", "Batches at a node, of this gateway.")
    for node in nodes:
        profile = node.profile
        if profile is not None:
            info.add_metric(
                (
                    node.node_id, profile.host, profile.board, profile.cpu_class,
                    profile.architecture, profile.runtime_version,
                ),
                1,
            )  # fmt: skip
            slots.add_metric((node.node_id,), profile.slots)
        for state in NodeState:
            states.add_metric((node.node_id, state), node.state is state)
        cordoned.add_metric((node.node_id,), node.cordoned)
        if node.heartbeat_age_s is not None:
            silent.add_metric((node.node_id,), node.heartbeat_age_s + age_s)
        inflight.add_metric((node.node_id,), node.inflight_batches)
    return info, states, cordoned, silent, slots, inflight


def _power(nodes: Sequence[NodeSnapshot]) -> Iterable[Metric]:
    watts = GaugeMetricFamily(
        "farm_node_power_watts",
        "What a node's host draws; nodes on one host show the same.",
        labels=("node", "source"),
    )
    fault = GaugeMetricFamily(
        "farm_node_meter_fault",
        "1 if the power meter of a node's host tells nothing that is believed.",
        labels=("node", "meter"),
    )
    for node in nodes:
        if node.power is not None:
            watts.add_metric((node.node_id, node.power.source), node.power.watts.typical)
        if node.vitals is not None and node.vitals.meter:
            fault.add_metric((node.node_id, node.vitals.meter), bool(node.meter_fault))
    return watts, fault


def _readings(
    nodes: Sequence[NodeSnapshot],
    name: str,
    meaning: str,
    read: Callable[[NodeVitals], float | None],
) -> Metric:
    gauge = _gauge(name, meaning)
    for node in nodes:
        value = read(node.vitals) if node.vitals is not None else None
        if value is not None:
            gauge.add_metric((node.node_id,), value)
    return gauge


def _flag(vitals: NodeVitals, *, bit: int) -> float | None:
    flags = vitals.throttle_flags
    return None if flags is None else flags >> bit & 1


def _gauge(name: str, meaning: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"farm_node_{name}", meaning, labels=("node",))
