"""The root of the `farm` command."""

from typing import Annotated

import typer

from farm import __version__
from farm.cli import demo, infer, models, nodes, up

app = typer.Typer(
    name="farm",
    help="One inference service from a shelf of Raspberry Pis, and what every answer costs.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command("up")(up.up)
app.command("demo")(demo.demo)
app.command("infer")(infer.infer)
app.add_typer(models.app, name="models")
app.add_typer(nodes.app, name="nodes")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"farm {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """One inference service from a shelf of Raspberry Pis, and what every answer costs."""


def main() -> None:
    """Run the command line."""
    app()
