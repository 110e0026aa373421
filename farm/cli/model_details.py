"""`farm models describe`: one model in depth."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from farm.cli import completion
from farm.cli.connecting import admin_client
from farm.cli.exits import farm_errors
from farm.cli.options import Connect, Context, Output, OutputFormat

if TYPE_CHECKING:
    from farm.pb.farm_admin_pb2 import (
        ModelDescription,
        ModelSnapshot,
        NodeReadiness,
        TensorDescription,
    )

Version = Annotated[str, typer.Option(help="A version; without one all of them.")]
Model = Annotated[str, typer.Argument(help="The model to show.", autocompletion=completion.models)]


def describe(
    model: Model,
    version: Version = "",
    connect: Connect = None,
    context: Context = None,
    output: OutputFormat = Output.TABLE,
) -> None:
    """Show a model's tensors, what it needs, how it is batched and where it is ready."""
    from farm.cli.tables import print_json

    with farm_errors():
        with admin_client(connect, context) as admin:
            versions = admin.describe(model, version)
        if output is Output.JSON:
            print_json(
                "model", {"name": model, "versions": [description_document(v) for v in versions]}
            )
            return
        for described in versions:
            _print(described)


def model_document(model: "ModelSnapshot") -> dict[str, Any]:
    """Return a version as JSON values."""
    return {
        "name": model.name,
        "version": model.version,
        "state": model.state,
        "reason": model.reason,
        "digest": model.digest,
        "max_batch_size": model.max_batch_size,
        "batching": model.batching_reason,
        "ready_nodes": list(model.ready_nodes),
        "queued_requests": model.queued_requests,
        "requests_total": model.requests_total,
        "failures_total": model.failures_total,
    }


def description_document(described: "ModelDescription") -> dict[str, Any]:
    """Return what is known of a version as JSON values."""
    snapshot = described.snapshot
    return {
        "version": snapshot.version,
        "state": snapshot.state,
        "reason": snapshot.reason,
        "digest": snapshot.digest,
        "abi": described.abi,
        "inputs": [_tensor(tensor) for tensor in described.inputs],
        "outputs": [_tensor(tensor) for tensor in described.outputs],
        "max_batch_size": snapshot.max_batch_size,
        "batching": snapshot.batching_reason,
        "ir_version": described.ir_version,
        "opsets": {opset.domain or "ai.onnx": opset.version for opset in described.opsets},
        "producer": described.producer,
        "runtime_floor": described.runtime_floor,
        "operators": described.operators,
        "size_bytes": described.size_bytes,
        "goldens_checked": described.goldens_checked,
        "parameters": dict(sorted(described.parameters.items())),
        "nodes": [
            {
                "node": node.node_id,
                "cpu_class": node.cpu_class,
                "board": node.board,
                "onnxruntime_version": node.onnxruntime_version,
                "ready": node.ready,
                "reason": node.reason,
            }
            for node in described.nodes
        ],
    }


def _tensor(tensor: "TensorDescription") -> dict[str, Any]:
    return {
        "name": tensor.name,
        "datatype": tensor.datatype,
        "shape": list(tensor.shape),
        "optional": tensor.optional,
        "preprocessing": tensor.preprocessing,
        "labels": list(tensor.labels),
    }


def _print(described: "ModelDescription") -> None:
    from farm.cli.tables import print_table

    snapshot = described.snapshot
    title = named(described)
    opsets = ", ".join(f"{o.domain or 'ai.onnx'} {o.version}" for o in described.opsets)
    facts = [
        ("state", snapshot.state + (f": {snapshot.reason}" if snapshot.reason else "")),
        ("digest", snapshot.digest),
        ("ABI", described.abi),
        ("largest batch", f"{snapshot.max_batch_size or 'none'}; {snapshot.batching_reason}"),
        ("opset", opsets),
        ("IR version", str(described.ir_version or "")),
        ("needs ONNX Runtime", described.runtime_floor and f"{described.runtime_floor} or newer"),
        ("made by", described.producer),
        ("operators", str(described.operators or "")),
        ("size", f"{described.size_bytes / 2**20:.1f} MiB" if described.size_bytes else ""),
        ("goldens checked", str(described.goldens_checked)),
        *(
            (key, value)
            for key, value in sorted(described.parameters.items())
            # It stands beside its tensor.
            if not key.startswith("farm.preprocessing.")
        ),
    ]
    print_table(title, ("fact", "value"), [fact for fact in facts if fact[1]])
    tensors = [("input", tensor) for tensor in described.inputs]
    tensors += [("output", tensor) for tensor in described.outputs]
    if tensors:
        print_table(
            f"Tensors of {title}",
            ("", "name", "type", "shape", "notes"),
            [
                (
                    kind + (", optional" if tensor.optional else ""),
                    tensor.name,
                    tensor.datatype,
                    str(list(tensor.shape)),
                    tensor.preprocessing or _labels(tensor),
                )
                for kind, tensor in tensors
            ],
        )
    print_table(
        f"Readiness of {title} by class of node",
        ("cpu", "ONNX Runtime", "ready", "nodes", "why not"),
        [_class_row(nodes) for nodes in _by_class(described)],
    )


def _labels(tensor: "TensorDescription") -> str:
    if not tensor.labels:
        return ""
    shown = ", ".join(tensor.labels[:3])
    return f"{len(tensor.labels)} labels: {shown}{', …' if len(tensor.labels) > 3 else ''}"


def _by_class(described: "ModelDescription") -> "list[list[NodeReadiness]]":
    classes: dict[tuple[str, str], list[NodeReadiness]] = {}
    for node in described.nodes:
        classes.setdefault((node.cpu_class, node.onnxruntime_version), []).append(node)
    return [classes[key] for key in sorted(classes)]


def _class_row(nodes: "list[NodeReadiness]") -> tuple[str, ...]:
    first = nodes[0]
    reasons = sorted({f"{node.node_id}: {node.reason}" for node in nodes if node.reason})
    return (
        first.cpu_class or "-",
        first.onnxruntime_version or "-",
        f"{sum(node.ready for node in nodes)} of {len(nodes)}",
        ", ".join(node.node_id for node in nodes),
        "; ".join(reasons),
    )


def named(described: "ModelDescription") -> str:
    """Return how a table names a version."""
    return f"{described.snapshot.name} version {described.snapshot.version}"
