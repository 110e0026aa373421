"""`farm nodes`: what serves."""

import typer

from farm.cli.exits import farm_errors
from farm.cli.options import DEFAULT_ADDRESS, Connect, Output, OutputFormat

app = typer.Typer(help="The nodes of a farm.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """The nodes of a farm."""


@app.command("ls")
def ls(connect: Connect = DEFAULT_ADDRESS, output: OutputFormat = Output.TABLE) -> None:
    """List every node, its state, load and counts."""
    from farm.cli.tables import print_json, print_table
    from farm.client import AdminClient

    with farm_errors(), AdminClient(connect) as admin:
        snapshot = admin.snapshot()
    if output is Output.JSON:
        print_json(
            "nodes",
            [
                {
                    "node": node.node_id,
                    "state": node.state,
                    "reason": node.reason,
                    "incarnation": node.incarnation,
                    "host": node.host,
                    "pid": node.pid,
                    "board": node.board,
                    "cpu_class": node.cpu_class,
                    "architecture": node.architecture,
                    "onnxruntime_version": node.onnxruntime_version,
                    "cores": node.cores,
                    "slots": node.slots,
                    "slots_busy": node.slots_busy,
                    "cpu_fraction": node.cpu_fraction,
                    "memory_total_bytes": node.memory_total_bytes,
                    "memory_available_bytes": node.memory_available_bytes,
                    "temperature_c": (
                        node.temperature_c if node.HasField("temperature_c") else None
                    ),
                    "clock_hz": node.clock_hz if node.HasField("clock_hz") else None,
                    "batches_total": node.batches_total,
                    "rows_total": node.rows_total,
                    "failures_total": node.failures_total,
                    "heartbeat_age_s": node.heartbeat_age_ns / 1e9 if node.incarnation else None,
                    "models": len(node.model_digests),
                }
                for node in snapshot.nodes
            ],
        )
        return
    print_table(
        f"Nodes of {snapshot.farm_name}",
        ("node", "state", "board", "cpu", "busy", "load", "temp", "batches", "rows", "failed",
         "heard", "why"),
        [
            (
                node.node_id,
                node.state,
                node.board or "-",
                node.cpu_class or "-",
                f"{node.slots_busy}/{node.slots}",
                f"{node.cpu_fraction:.0%}",
                f"{node.temperature_c:.0f} °C" if node.HasField("temperature_c") else "-",
                str(node.batches_total),
                str(node.rows_total),
                str(node.failures_total),
                f"{node.heartbeat_age_ns / 1e9:.1f} s ago" if node.incarnation else "never",
                node.reason,
            )
            for node in snapshot.nodes
        ],
    )  # fmt: skip
