"""Snapshots for tests of the screen."""

from collections.abc import Mapping

from farm.core.energy import Band, EnergySource, Power
from farm.core.ledger import LATENCY_BOUNDS_S
from farm.core.models import ModelKey, ModelState
from farm.core.nodes import NodeProfile, NodeState, NodeVitals
from farm.core.snapshots import (
    AnswerPrices,
    FarmSnapshot,
    GatewayState,
    ModelSnapshot,
    NodeSnapshot,
    NodeWork,
)

SECOND = 1_000_000_000
BEGINS = 1_750_000_000 * SECOND
NO_WORK, NO_PRICES = NodeWork(), AnswerPrices()


def node(
    node_id: str = "pi-01",
    *,
    state: NodeState = NodeState.READY,
    reason: str = "",
    cpu_fraction: float = 0.25,
    temperature_c: float | None = 55.0,
    throttle_flags: int | None = 0,
    watts: float | None = 4.2,
    source: EnergySource = EnergySource.MODELLED,
    meter_fault: str = "",
    cordoned: bool = False,
    heartbeat_age_s: float = 0.4,
    slots_busy: int = 1,
    work: NodeWork = NO_WORK,
) -> NodeSnapshot:
    """A Raspberry Pi 5 on a host of its own."""
    return NodeSnapshot(
        node_id=node_id,
        state=state,
        reason=reason,
        profile=NodeProfile(
            node_id=node_id,
            incarnation="i",
            slots=4,
            host=node_id,
            pid=4711,
            board="Raspberry Pi 5 Model B",
            cpu_class="cortex-a76",
            architecture="aarch64",
            cores=4,
            runtime_version="1.23.2",
        ),
        vitals=NodeVitals(
            incarnation="i",
            slots_busy=slots_busy,
            cpu_fraction=cpu_fraction,
            memory_total_bytes=8 << 30,
            memory_available_bytes=6 << 30,
            temperature_c=temperature_c,
            clock_hz=2.4e9,
            batches_total=work.batches_total,
            rows_total=work.rows_total,
            failures_total=work.failures_total,
            digests=("d",),
            throttle_flags=throttle_flags,
            meter="shelly" if meter_fault else "",
        ),
        heartbeat_age_s=heartbeat_age_s,
        cordoned=cordoned,
        inflight_batches=slots_busy,
        power=None if watts is None else Power(Band(watts * 0.8, watts, watts * 1.3), source),
        work=work,
        meter_fault=meter_fault,
    )


def model(
    name: str = "digits",
    *,
    state: ModelState = ModelState.READY,
    reason: str = "",
    ready_nodes: tuple[str, ...] = ("pi-01",),
    queued: int = 0,
    failures: int = 0,
    latencies: Mapping[int, int] | None = None,
) -> ModelSnapshot:
    """Version 1 of a model; `latencies` has answers by the number of their bucket."""
    counts = [(latencies or {}).get(bucket, 0) for bucket in range(len(LATENCY_BOUNDS_S) + 1)]
    return ModelSnapshot(
        key=ModelKey(name, 1),
        state=state,
        reason=reason,
        digest="d",
        max_batch_size=32,
        batching_reason="",
        ready_nodes=ready_nodes,
        queued_requests=queued,
        requests_total=sum(counts) + failures,
        failures_total=failures,
        rows_total=sum(counts),
        batches_total=sum(counts),
        latencies=tuple(counts),
    )


def snapshot(
    at_s: float = 0.0,
    *,
    nodes: tuple[NodeSnapshot, ...] = (),
    models: tuple[ModelSnapshot, ...] = (),
    prices: AnswerPrices = NO_PRICES,
    began: int = 0,
    state: GatewayState = GatewayState.SERVING,
) -> FarmSnapshot:
    """The farm so many seconds after the first snapshot."""
    return FarmSnapshot(
        taken_unix_ns=BEGINS + round(at_s * SECOND),
        farm_name="shelf",
        gateway_state=state,
        nodes=nodes,
        models=models,
        queued_requests=sum(model.queued_requests for model in models),
        inflight_batches=sum(node.inflight_batches for node in nodes),
        prices=prices,
        gateway_began_unix_ns=BEGINS + began,
    )
