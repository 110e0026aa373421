"""A model as operators see it, in the messages of `farm.v1`."""

from collections.abc import Iterable, Mapping

from farm.core.models import LatencyCurve
from farm.core.snapshots import ModelSnapshot
from farm.core.tensors import TensorSpec
from farm.engine.descriptions import ModelDescription, NodeReadiness
from farm.pb import farm_admin_pb2 as pb


def to_description(description: ModelDescription) -> pb.ModelDescription:
    """Return one version in depth as a message."""
    message = pb.ModelDescription(
        snapshot=to_model(description.snapshot),
        inputs=_tensors(description.inputs, preprocessing=description.preprocessing, labels={}),
        outputs=_tensors(description.outputs, preprocessing={}, labels=description.labels),
        abi=description.abi,
        runtime_floor=description.runtime_floor,
        size_bytes=description.size_bytes,
        parameters=description.parameters,
        nodes=[to_readiness(node) for node in description.nodes],
        goldens_checked=description.goldens_checked,
        objective=description.objective,
    )
    if (header := description.header) is not None:
        message.ir_version = header.ir_version
        message.producer = header.producer
        message.operators = header.operators
        for domain, version in header.opsets:
            message.opsets.add(domain=domain, version=version)
    return message


def to_model(model: ModelSnapshot) -> pb.ModelSnapshot:
    """Return a version's state and counts as a message."""
    return pb.ModelSnapshot(
        name=model.key.name,
        version=model.key.version,
        state=model.state,
        reason=model.reason,
        digest=model.digest,
        max_batch_size=model.max_batch_size,
        batching_reason=model.batching_reason,
        ready_nodes=model.ready_nodes,
        queued_requests=model.queued_requests,
        requests_total=model.requests_total,
        failures_total=model.failures_total,
        rows_total=model.rows_total,
        batches_total=model.batches_total,
        latencies=model.latencies,
        latency_ns=round(model.latency_s * 1e9),
    )


def _tensors(
    specs: Iterable[TensorSpec],
    *,
    preprocessing: Mapping[str, str],
    labels: Mapping[str, tuple[str, ...]],
) -> list[pb.TensorDescription]:
    return [
        pb.TensorDescription(
            name=spec.name,
            datatype=spec.datatype,
            shape=spec.shape,
            optional=spec.optional,
            preprocessing=preprocessing.get(spec.name, ""),
            labels=labels.get(spec.name, ()),
        )
        for spec in specs
    ]


def to_readiness(node: NodeReadiness) -> pb.NodeReadiness:
    """Return how a version stands on a node as a message."""
    message = pb.NodeReadiness(
        node_id=node.node_id,
        cpu_class=node.cpu_class,
        board=node.board,
        onnxruntime_version=node.runtime_version,
        ready=node.ready,
        reason=node.reason,
    )
    if node.curve is not None:
        message.curve.extend(_points(node.curve))
    for split in node.splits:
        message.splits.add(
            slots=split.slots,
            threads=split.curve.threads,
            curve=_points(split.curve),
            chosen=split.curve == node.curve,
        )
    if (measured := node.measured) is not None:
        message.measured_unix_ns = measured.measured_unix_ns
        message.measured_on = measured.node_id
        message.stored = measured.stored
    if node.correction is not None:
        message.correction = node.correction
    if node.speed is not None:
        message.speed = node.speed
    return message


def _points(curve: LatencyCurve) -> list[pb.CurvePoint]:
    return [pb.CurvePoint(rows=rows, seconds=seconds) for rows, seconds in curve.points]
