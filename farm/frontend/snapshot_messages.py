"""The farm at one moment, in the messages of `farm.v1`."""

from farm.core.snapshots import AnswerPrices, EnergyTotals, FarmSnapshot, NodeSnapshot, NodeWork
from farm.frontend.description_messages import to_model
from farm.pb import farm_admin_pb2 as pb


def to_snapshot(snapshot: FarmSnapshot) -> pb.FarmSnapshot:
    """Return a snapshot as a message."""
    return pb.FarmSnapshot(
        taken_unix_ns=snapshot.taken_unix_ns,
        farm_name=snapshot.farm_name,
        gateway_state=snapshot.gateway_state,
        nodes=[to_node(node) for node in snapshot.nodes],
        models=[to_model(model) for model in snapshot.models],
        queued_requests=snapshot.queued_requests,
        inflight_batches=snapshot.inflight_batches,
        energy=_energy(snapshot.energy),
        prices=_prices(snapshot.prices),
        gateway_began_unix_ns=snapshot.gateway_began_unix_ns,
    )


def _prices(prices: AnswerPrices) -> pb.AnswerPrices:
    return pb.AnswerPrices(
        answers=prices.answers,
        cost=prices.cost,
        currency=prices.currency,
        baseline=prices.baseline,
        baseline_cost=prices.baseline_cost,
        baseline_currency=prices.baseline_currency,
    )


def _energy(totals: EnergyTotals) -> pb.EnergyTotals:
    return pb.EnergyTotals(
        measured_j=totals.measured_j,
        modelled_j=totals.modelled_j,
        assumed_j=totals.assumed_j,
        cost=totals.cost,
        currency=totals.currency,
    )


def to_node(node: NodeSnapshot) -> pb.NodeSnapshot:
    """Return a node as a message; what is not known of it is absent."""
    message = pb.NodeSnapshot(
        node_id=node.node_id,
        state=node.state,
        reason=node.reason,
        cordoned=node.cordoned,
        inflight_batches=node.inflight_batches,
        work=_work(node.work),
    )
    if (profile := node.profile) is not None:
        message.incarnation = profile.incarnation
        message.host = profile.host
        message.pid = profile.pid
        message.board = profile.board
        message.cpu_class = profile.cpu_class
        message.architecture = profile.architecture
        message.onnxruntime_version = profile.runtime_version
        message.cores = profile.cores
        message.slots = profile.slots
        message.threads_per_slot = profile.threads_per_slot
    if (vitals := node.vitals) is not None:
        message.slots_busy = vitals.slots_busy
        message.cpu_fraction = vitals.cpu_fraction
        message.memory_total_bytes = vitals.memory_total_bytes
        message.memory_available_bytes = vitals.memory_available_bytes
        if vitals.temperature_c is not None:
            message.temperature_c = vitals.temperature_c
        if vitals.clock_hz is not None:
            message.clock_hz = vitals.clock_hz
        if vitals.throttle_flags is not None:
            message.throttle_flags = vitals.throttle_flags
        message.speed = vitals.speed
        message.batches_total = vitals.batches_total
        message.rows_total = vitals.rows_total
        message.failures_total = vitals.failures_total
        message.model_digests.extend(vitals.digests)
        message.meter = vitals.meter
        message.meter_fault = node.meter_fault
    if (power := node.power) is not None:
        message.power.watts = power.watts.typical
        message.power.low_w = power.watts.low
        message.power.high_w = power.watts.high
        message.power.source = power.source
    if node.heartbeat_age_s is not None:
        message.heartbeat_age_ns = round(node.heartbeat_age_s * 1e9)
    return message


def _work(work: NodeWork) -> pb.NodeWork:
    return pb.NodeWork(
        answers_total=work.answers_total,
        batches_total=work.batches_total,
        rows_total=work.rows_total,
        failures_total=work.failures_total,
        compute_ns=round(work.compute_s * 1e9),
        joules=work.joules,
    )
