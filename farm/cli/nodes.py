"""`farm nodes`: what serves."""

import typer

from farm.cli.connecting import admin_client
from farm.cli.exits import farm_errors
from farm.cli.node_control import cordon, drain, uncordon
from farm.cli.node_details import describe, node_document
from farm.cli.options import Connect, Context, Output, OutputFormat

app = typer.Typer(help="The nodes of a farm.", no_args_is_help=True)
app.command("describe")(describe)
app.command("cordon")(cordon)
app.command("uncordon")(uncordon)
app.command("drain")(drain)


@app.callback()
def _group() -> None:
    """The nodes of a farm."""


@app.command("ls")
def ls(
    connect: Connect = None, context: Context = None, output: OutputFormat = Output.TABLE
) -> None:
    """List every node, its state, load and counts."""
    from farm.cli.tables import print_json, print_table

    with farm_errors(), admin_client(connect, context) as admin:
        snapshot = admin.snapshot()
    if output is Output.JSON:
        print_json("nodes", [node_document(node) for node in snapshot.nodes])
        return
    print_table(
        f"Nodes of {snapshot.farm_name}",
        ("node", "state", "board", "cpu", "busy", "load", "temp", "power", "batches", "rows",
         "failed", "heard", "why"),
        [
            (
                node.node_id,
                node.state,
                node.board or "-",
                node.cpu_class or "-",
                f"{node.slots_busy}/{node.slots}",
                f"{node.cpu_fraction:.0%}",
                f"{node.temperature_c:.0f} °C" if node.HasField("temperature_c") else "-",
                f"{node.power.watts:.1f} W {node.power.source}" if node.HasField("power") else "-",
                str(node.batches_total),
                str(node.rows_total),
                str(node.failures_total),
                f"{node.heartbeat_age_ns / 1e9:.1f} s ago" if node.incarnation else "never",
                node.reason,
            )
            for node in snapshot.nodes
        ],
    )  # fmt: skip
