"""`farm nodes describe`: one node in depth."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from farm.cli import completion
from farm.cli.connecting import admin_client
from farm.cli.exits import farm_errors
from farm.cli.options import Connect, Context, Output, OutputFormat
from farm.core.errors import InvalidRequestError

if TYPE_CHECKING:
    from farm.pb.farm_admin_pb2 import FarmSnapshot, NodeSnapshot

# Bits of a Raspberry Pi's `get_throttled`; 16 more mean the same since it booted.
_THROTTLING = ("under-voltage", "clock capped", "throttled", "soft temperature limit")
_SINCE_BOOT = 16


def describe(
    node: Annotated[str, typer.Argument(help="The node to show.", autocompletion=completion.nodes)],
    connect: Connect = None,
    context: Context = None,
    output: OutputFormat = Output.TABLE,
) -> None:
    """Show what a node is, how it feels, what it runs and which models it holds."""
    from farm.cli.tables import print_json, print_table

    with farm_errors(), admin_client(connect, context) as admin:
        snapshot = admin.snapshot()
        found = find(snapshot, node)
    models = [model for model in snapshot.models if node in model.ready_nodes]
    if output is Output.JSON:
        document = node_document(found)
        document["models"] = [
            {"name": model.name, "version": model.version, "digest": model.digest}
            for model in models
        ]
        print_json("node", document)
        return
    rows = _rows(found)
    rows.append(("models", ", ".join(f"{m.name}:{m.version}" for m in models) or "none"))
    print_table(f"Node {node} of {snapshot.farm_name}", ("", ""), rows)


def find(snapshot: "FarmSnapshot", node_id: str) -> "NodeSnapshot":
    """Return a node of a farm.

    Raises:
        InvalidRequestError: there is none of this name.
    """
    for node in snapshot.nodes:
        if node.node_id == node_id:
            return node
    known = ", ".join(node.node_id for node in snapshot.nodes)
    raise InvalidRequestError(f"the farm has no node '{node_id}'; it has {known}")


def node_document(node: "NodeSnapshot") -> dict[str, Any]:
    """Return a node as JSON values; what is not known of it is None."""
    return {
        "node": node.node_id,
        "state": node.state,
        "reason": node.reason,
        "cordoned": node.cordoned,
        "inflight_batches": node.inflight_batches,
        "incarnation": node.incarnation,
        "host": node.host,
        "pid": node.pid,
        "board": node.board,
        "cpu_class": node.cpu_class,
        "architecture": node.architecture,
        "onnxruntime_version": node.onnxruntime_version,
        "cores": node.cores,
        "slots": node.slots,
        "threads_per_slot": node.threads_per_slot,
        "slots_busy": node.slots_busy,
        "cpu_fraction": node.cpu_fraction,
        "memory_total_bytes": node.memory_total_bytes,
        "memory_available_bytes": node.memory_available_bytes,
        "temperature_c": node.temperature_c if node.HasField("temperature_c") else None,
        "clock_hz": node.clock_hz if node.HasField("clock_hz") else None,
        "throttle_flags": node.throttle_flags if node.HasField("throttle_flags") else None,
        "throttling": throttling(node),
        "speed": node.speed or None,
        "batches_total": node.batches_total,
        "rows_total": node.rows_total,
        "failures_total": node.failures_total,
        "power": power_document(node),
        "meter": node.meter or None,
        "meter_fault": node.meter_fault or None,
        "heartbeat_age_s": node.heartbeat_age_ns / 1e9 if node.incarnation else None,
        "models": len(node.model_digests),
    }


def power_document(node: "NodeSnapshot") -> dict[str, Any] | None:
    """Return what a node's host draws as JSON values; None where it is not known."""
    if not node.HasField("power"):
        return None
    power = node.power
    return {
        "watts": power.watts,
        "low_w": power.low_w,
        "high_w": power.high_w,
        "source": power.source,
    }


def _power(node: "NodeSnapshot") -> str:
    """Return in words what a node's host draws, and who says so."""
    if not node.HasField("power"):
        return "waiting for the first figure"
    power = node.power
    text = f"{power.watts:.1f} W ({power.low_w:.1f} to {power.high_w:.1f}), {power.source}"
    if node.meter_fault:
        return f"{text}; its meter ({node.meter}) does not count: {node.meter_fault}"
    return f"{text}, meter {node.meter}" if node.meter else text


def throttling(node: "NodeSnapshot") -> list[str]:
    """Return in words what the firmware holds a node back for, now or since it booted."""
    if not node.HasField("throttle_flags"):
        return []
    flags = node.throttle_flags
    now = [word for bit, word in enumerate(_THROTTLING) if flags >> bit & 1]
    before = [
        f"{word} since it booted"
        for bit, word in enumerate(_THROTTLING)
        if flags >> (bit + _SINCE_BOOT) & 1 and word not in now
    ]
    return now + before


def _rows(node: "NodeSnapshot") -> list[tuple[str, str]]:
    rows = [("state", f"{node.state} ({node.reason})" if node.reason else node.state)]
    rows.append(("cordoned", "yes" if node.cordoned else "no"))
    rows.append(("batches in flight", str(node.inflight_batches)))
    if not node.incarnation:
        return rows
    clock = f"{node.clock_hz / 1e9:.2f} GHz" if node.HasField("clock_hz") else "unknown"
    held_back = ", ".join(throttling(node)) or "nothing"
    return [
        *rows,
        ("heard", f"{node.heartbeat_age_ns / 1e9:.1f} s ago"),
        ("host", f"{node.host}, process {node.pid}, incarnation {node.incarnation}"),
        ("board", f"{node.board or 'unknown'}, {node.cores} cores of {node.cpu_class}"),
        ("ONNX Runtime", node.onnxruntime_version or "unknown"),
        ("slots", f"{node.slots} of {node.threads_per_slot} threads, {node.slots_busy} busy"),
        ("load", f"{node.cpu_fraction:.0%}"),
        (
            "memory",
            f"{node.memory_available_bytes >> 20} of {node.memory_total_bytes >> 20} MiB free",
        ),
        (
            "temperature",
            f"{node.temperature_c:.0f} °C" if node.HasField("temperature_c") else "unknown",
        ),
        ("clock", clock),
        (
            "held back by",
            held_back if node.HasField("throttle_flags") else "unknown: no vcgencmd there",
        ),
        ("speed", f"{node.speed:.0%} of the highest clock" if node.speed else "unknown"),
        ("power of its host", _power(node)),
        (
            "batches",
            f"{node.batches_total} of {node.rows_total} rows, {node.failures_total} failed",
        ),
    ]
