"""A farm as its gateway sees it, in the farm's own terms.

A gateway of another version may know states and sources that this one does not: what cannot be
named here is told as what it most resembles, and nothing raises.
"""

from typing import Final

from farm.client.fields import known, word
from farm.core.energy import Band, EnergySource, Power
from farm.core.ledger import LATENCY_BOUNDS_S
from farm.core.models import ModelKey, ModelState
from farm.core.nodes import NodeProfile, NodeState, NodeVitals
from farm.core.snapshots import (
    AnswerPrices,
    EnergyTotals,
    FarmSnapshot,
    GatewayState,
    ModelSnapshot,
    NodeSnapshot,
    NodeWork,
)
from farm.pb import farm_admin_pb2 as pb

_NS: Final = 1e9
_BUCKETS: Final = len(LATENCY_BOUNDS_S) + 1


def of_snapshot(message: pb.FarmSnapshot) -> FarmSnapshot:
    """Return a gateway's snapshot."""
    energy, prices = message.energy, message.prices
    return FarmSnapshot(
        taken_unix_ns=message.taken_unix_ns,
        farm_name=message.farm_name,
        gateway_state=word(message.gateway_state, GatewayState.STARTING),
        nodes=tuple(map(of_node, message.nodes)),
        models=tuple(map(of_model, message.models)),
        queued_requests=message.queued_requests,
        inflight_batches=message.inflight_batches,
        energy=EnergyTotals(
            measured_j=energy.measured_j,
            modelled_j=energy.modelled_j,
            assumed_j=energy.assumed_j,
            cost=known(energy, "cost"),
            currency=energy.currency,
        ),
        prices=AnswerPrices(
            answers=prices.answers,
            cost=known(prices, "cost"),
            currency=prices.currency,
            baseline=prices.baseline,
            baseline_cost=known(prices, "baseline_cost"),
            baseline_currency=prices.baseline_currency,
        ),
        gateway_began_unix_ns=message.gateway_began_unix_ns,
    )


def of_node(message: pb.NodeSnapshot) -> NodeSnapshot:
    """Return a node; one that never came up has no profile, and none of its vitals."""
    work = message.work
    came_up = bool(message.incarnation)
    return NodeSnapshot(
        node_id=message.node_id,
        state=word(message.state, NodeState.SUSPECT),
        reason=message.reason,
        profile=_profile(message) if came_up else None,
        # Every machine that told of itself has memory.
        vitals=_vitals(message) if message.memory_total_bytes else None,
        heartbeat_age_s=message.heartbeat_age_ns / _NS if came_up else None,
        cordoned=message.cordoned,
        inflight_batches=message.inflight_batches,
        power=_power(message.power) if message.HasField("power") else None,
        work=NodeWork(
            answers_total=work.answers_total,
            batches_total=work.batches_total,
            rows_total=work.rows_total,
            failures_total=work.failures_total,
            compute_s=work.compute_ns / _NS,
            joules=work.joules,
        ),
        meter_fault=message.meter_fault,
    )


def of_model(message: pb.ModelSnapshot) -> ModelSnapshot:
    """Return a version of a model."""
    return ModelSnapshot(
        key=ModelKey(message.name, message.version),
        state=word(message.state, ModelState.UNAVAILABLE),
        reason=message.reason,
        digest=message.digest,
        max_batch_size=message.max_batch_size,
        batching_reason=message.batching_reason,
        ready_nodes=tuple(message.ready_nodes),
        queued_requests=message.queued_requests,
        requests_total=message.requests_total,
        failures_total=message.failures_total,
        rows_total=message.rows_total,
        batches_total=message.batches_total,
        latency_s=message.latency_ns / _NS,
        # Of other buckets than these nothing can be told.
        latencies=tuple(message.latencies) if len(message.latencies) == _BUCKETS else (),
    )


def _profile(message: pb.NodeSnapshot) -> NodeProfile:
    return NodeProfile(
        node_id=message.node_id,
        incarnation=message.incarnation,
        slots=message.slots,
        threads_per_slot=message.threads_per_slot,
        host=message.host,
        pid=message.pid,
        board=message.board,
        cpu_class=message.cpu_class,
        architecture=message.architecture,
        cores=message.cores,
        runtime_version=message.onnxruntime_version,
    )


def _vitals(message: pb.NodeSnapshot) -> NodeVitals:
    return NodeVitals(
        incarnation=message.incarnation,
        slots_busy=message.slots_busy,
        cpu_fraction=message.cpu_fraction,
        memory_total_bytes=message.memory_total_bytes,
        memory_available_bytes=message.memory_available_bytes,
        temperature_c=known(message, "temperature_c"),
        clock_hz=known(message, "clock_hz"),
        batches_total=message.batches_total,
        rows_total=message.rows_total,
        failures_total=message.failures_total,
        digests=tuple(message.model_digests),
        throttle_flags=known(message, "throttle_flags"),
        speed=message.speed,
        meter=message.meter,
    )


def _power(message: pb.PowerReading) -> Power:
    return Power(
        watts=Band(message.low_w, message.watts, message.high_w),
        source=word(message.source, EnergySource.ASSUMED),
    )
