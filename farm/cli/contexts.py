"""`farm contexts`: the farms that this machine knows."""

import os
from typing import Annotated

import typer

from farm.cli import completion
from farm.cli.exits import farm_errors
from farm.cli.options import Output, OutputFormat

app = typer.Typer(help="The farms that this machine knows.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """The farms that this machine knows."""


@app.command("ls")
def ls(output: OutputFormat = Output.TABLE) -> None:
    """List the farms, with the addresses of their gateways; * is the one commands mean."""
    from farm.cli.tables import print_json, print_table
    from farm.contexts import FarmHome

    with farm_errors():
        home = FarmHome.of(os.environ)
        current = home.current()
        contexts = [home.context(farm) for farm in home.farms()]
        if output is Output.JSON:
            print_json(
                "contexts",
                [
                    {
                        "farm": context.farm,
                        "current": context.farm == current,
                        "address": context.address,
                        "tls": context.ca is not None,
                        "certificate": str(context.certificate) if context.certificate else None,
                        "token_file": str(context.token) if context.token else None,
                    }
                    for context in contexts
                ],
            )
            return
        print_table(
            f"Farms in {home.path}",
            ("", "farm", "gateway", "TLS", "own certificate or token"),
            [
                (
                    "*" if context.farm == current else "",
                    context.farm,
                    context.address,
                    "yes" if context.ca is not None else "no",
                    str(context.certificate or context.token or "-"),
                )
                for context in contexts
            ],
        )


@app.command("use")
def use(
    farm: Annotated[str, typer.Argument(help="The farm.", autocompletion=completion.farms)],
) -> None:
    """Let commands mean a farm when they are told nothing else."""
    from farm.contexts import FarmHome

    with farm_errors():
        FarmHome.of(os.environ).use(farm)
