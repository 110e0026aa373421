"""`farm models`: what is served."""

import typer

from farm.cli.connecting import admin_client
from farm.cli.exits import farm_errors
from farm.cli.model_control import load, unload
from farm.cli.model_details import describe, model_document
from farm.cli.model_profile import profile
from farm.cli.options import Connect, Context, Output, OutputFormat

app = typer.Typer(help="The models of a farm.", no_args_is_help=True)
app.command("describe")(describe)
app.command("load")(load)
app.command("unload")(unload)
app.command("profile")(profile)


@app.callback()
def _group() -> None:
    """The models of a farm."""


@app.command("ls")
def ls(
    connect: Connect = None, context: Context = None, output: OutputFormat = Output.TABLE
) -> None:
    """List every version, its state and, where it is not served, the reason."""
    from farm.cli.tables import print_json, print_table

    with farm_errors(), admin_client(connect, context) as admin:
        snapshot = admin.snapshot()
    if output is Output.JSON:
        print_json("models", [model_document(model) for model in snapshot.models])
        return
    print_table(
        f"Models of {snapshot.farm_name}",
        ("model", "version", "state", "nodes", "max batch", "requests", "failed", "digest", "why"),
        [
            (
                model.name,
                str(model.version) if model.version else "-",
                model.state,
                str(len(model.ready_nodes)),
                str(model.max_batch_size) if model.max_batch_size else "-",
                str(model.requests_total),
                str(model.failures_total),
                model.digest[:12],
                model.reason or model.batching_reason,
            )
            for model in snapshot.models
        ],
    )
