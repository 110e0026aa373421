"""`farm models profile`: how long a model's batches take, by class of node."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from farm.cli.connecting import admin_client
from farm.cli.exits import farm_errors
from farm.cli.model_details import Model, Version, named
from farm.cli.options import Connect, Context, Output, OutputFormat
from farm.cli.progress import doing

if TYPE_CHECKING:
    from farm.pb.farm_admin_pb2 import CurvePoint, ModelDescription, NodeReadiness, SplitCurve


def profile(
    model: Model,
    version: Version = "",
    remeasure: Annotated[
        bool, typer.Option("--remeasure", help="Measure anew first, on a node of each class.")
    ] = False,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for that.")] = 600.0,
    connect: Connect = None,
    context: Context = None,
    output: OutputFormat = Output.TABLE,
) -> None:
    """Show how long a batch takes by its rows on each class of node, as measured.

    A node's cores are split into slots of so many threads each; batches run on the split
    that suits the model best, by the parameter farm.optimize of its config.
    """
    from farm.cli.tables import print_json

    with farm_errors():
        with admin_client(connect, context) as admin:
            if remeasure:
                with doing(f"measuring {model} on a node of each class"):
                    versions = admin.measure(model, version, timeout_s=timeout)
            else:
                versions = admin.describe(model, version)
        if output is Output.JSON:
            print_json("profile", {"name": model, "versions": [_document(v) for v in versions]})
            return
        for described in versions:
            _print(described)


# -- JSON -----------------------------------------------------------------------------------


def _document(described: "ModelDescription") -> dict[str, Any]:
    return {
        "version": described.snapshot.version,
        "max_batch_size": described.snapshot.max_batch_size,
        "optimize": described.objective,
        "classes": [_class_document(nodes) for nodes in _by_class(described)],
        "nodes": [_node_document(node) for node in described.nodes],
    }


def _class_document(nodes: "list[NodeReadiness]") -> dict[str, Any]:
    first = nodes[0]
    return {
        "board": first.board,
        "cpu_class": first.cpu_class,
        "onnxruntime_version": first.onnxruntime_version,
        "nodes": [node.node_id for node in nodes],
        "measured_at": _moment(first.measured_unix_ns).isoformat(timespec="seconds"),
        "measured_on": first.measured_on,
        "stored": first.stored,
        "splits": [
            {
                "slots": split.slots,
                "threads": split.threads,
                "chosen": split.chosen,
                "best_rows": _best_rows(split),
                "curve": [_point_document(split, point) for point in split.curve],
            }
            for split in first.splits
        ],
    }


def _node_document(node: "NodeReadiness") -> dict[str, Any]:
    split = _chosen(node)
    return {
        "node": node.node_id,
        "cpu_class": node.cpu_class,
        "ready": node.ready,
        "slots": split.slots if split is not None else None,
        "threads": split.threads if split is not None else None,
        "best_rows": _best_rows(split) if split is not None else None,
        "curve": [_point_document(split, point) for point in split.curve] if split else [],
        "correction": round(node.correction, 4) if node.HasField("correction") else None,
        "speed": round(node.speed, 4) if node.HasField("speed") else None,
    }


def _point_document(split: "SplitCurve", point: "CurvePoint") -> dict[str, Any]:
    return {
        "rows": point.rows,
        "ms": round(point.seconds * 1e3, 4),
        "rows_per_s": round(_rows_per_s(split, point), 2),
    }


# -- tables ---------------------------------------------------------------------------------


def _print(described: "ModelDescription") -> None:
    from farm.cli.tables import print_table

    for nodes in _by_class(described):
        first = nodes[0]
        what = ", ".join(filter(None, (first.board, first.cpu_class, first.onnxruntime_version)))
        when = _moment(first.measured_unix_ns).strftime("%Y-%m-%d %H:%M UTC")
        disk = ", kept on disk" if first.stored else ""
        print_table(
            f"{named(described)} on {what}; measured {when} on {first.measured_on}{disk}",
            ("split", "rows", "ms", "rows/s", ""),
            [
                (
                    f"{split.slots} × {_threads(split.threads)}",
                    str(point.rows),
                    f"{point.seconds * 1e3:.3f}",
                    f"{_rows_per_s(split, point):,.1f}",
                    _mark(split, point),
                )
                for split in first.splits
                for point in split.curve
            ],
        )
    print_table(
        f"{named(described)}, optimised for {described.objective}",
        ("node", "split", "really takes", "clock", ""),
        [_node_row(node) for node in described.nodes],
    )


def _node_row(node: "NodeReadiness") -> tuple[str, ...]:
    split = _chosen(node)
    waiting = "not measured yet" if node.ready else node.reason or "not ready"
    return (
        node.node_id,
        f"{split.slots} × {_threads(split.threads)}" if split is not None else "-",
        f"{node.correction:.2f} × the curve" if node.HasField("correction") else "-",
        f"{node.speed:.0%}" if node.HasField("speed") else "-",
        waiting if split is None else "",
    )


def _mark(split: "SplitCurve", point: "CurvePoint") -> str:
    if not split.chosen:
        return ""
    return "chosen, best" if point.rows == _best_rows(split) else "chosen"


def _threads(count: int) -> str:
    return f"{count} thread{'s' if count != 1 else ''}"


# -- both -----------------------------------------------------------------------------------


def _by_class(described: "ModelDescription") -> "list[list[NodeReadiness]]":
    """Return nodes that share curves, and the split they run on, together."""
    classes: dict[tuple[object, ...], list[NodeReadiness]] = {}
    for node in described.nodes:
        if node.splits:
            key = (
                node.board,
                node.cpu_class,
                node.onnxruntime_version,
                node.measured_unix_ns,
                *(split.SerializeToString(deterministic=True) for split in node.splits),
            )
            classes.setdefault(key, []).append(node)
    return list(classes.values())


def _chosen(node: "NodeReadiness") -> "SplitCurve | None":
    return next((split for split in node.splits if split.chosen), None)


def _best_rows(split: "SplitCurve") -> int:
    """Return the rows of the batch with the most rows a second; the smallest of equals."""
    return max(split.curve, key=lambda point: (_rows_per_s(split, point), -point.rows)).rows


def _rows_per_s(split: "SplitCurve", point: "CurvePoint") -> float:
    """Return what a node does whose slots all run such batches."""
    return split.slots * point.rows / point.seconds if point.seconds > 0 else 0.0


def _moment(unix_ns: int) -> datetime:
    return datetime.fromtimestamp(unix_ns / 1e9, UTC)
