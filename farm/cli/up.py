"""`farm up`: an embedded farm in the foreground."""

import os
import sys
from contextlib import redirect_stdout, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from farm.cli.exits import farm_errors

if TYPE_CHECKING:
    from farm.app import Gateway


def up(
    nodes: Annotated[
        int | None, typer.Option(help="How many local nodes to run.", show_default="3")
    ] = None,
    models: Annotated[
        Path | None,
        typer.Option(help="Model repository in Triton's layout.", show_default="the shipped zoo"),
    ] = None,
    grpc: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Port 0 picks one.", show_default="127.0.0.1:8001"),
    ] = None,
    metrics: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Port 0 picks one.", show_default="127.0.0.1:8002"),
    ] = None,
    tokens: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Whose tokens are accepted: the --file of `farm tokens issue`."
        ),
    ] = None,
    inventory: Annotated[
        Path | None,
        typer.Option(
            "--inventory",
            "-i",
            metavar="FILE",
            help="An embedded farm's, such as inventory/local.yaml: its name, nodes and power.",
        ),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(envvar="FARM_CONFIG", help="A farm.yaml to read first.")
    ] = None,
    record: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a trace here that `farm sim run` replays."),
    ] = None,
) -> None:
    """Run a farm of local nodes here until Ctrl-C or SIGTERM, then drain."""
    with farm_errors():
        from farm.config import load_config
        from farm.embedded import run_embedded
        from farm.logs import configure_logging

        flags: dict[str, Any] = {
            "nodes": nodes,
            "models": models,
            "grpc": grpc,
            "metrics": metrics,
            "tokens": tokens,
        }
        if inventory is not None:
            flags |= _embedded(inventory, nodes)
        settings = load_config(config, os.environ, flags)
        log = configure_logging()
        out = sys.stdout
        # Ray prints on standard output when a worker dies; only the ready line belongs there.
        with redirect_stdout(sys.stderr):
            run_embedded(
                settings,
                log=log,
                on_ready=lambda gateway: _announce(gateway, out),
                record=record,
            )


def _embedded(inventory: Path, nodes: int | None) -> dict[str, Any]:
    """Return what an embedded farm's inventory settles, its nodes only if no flag does."""
    from farm.core.errors import ConfigurationError
    from farm.inventory import load_inventory

    farm = load_inventory(inventory).farm
    if farm.embedded is None:
        raise ConfigurationError(
            f"{inventory} names hosts, and `farm up` runs its nodes on this machine: use `farm"
            f" bootstrap -i {inventory}`, or an inventory with farm.embedded"
        )
    return {
        "name": farm.name,
        "nodes": farm.embedded.nodes if nodes is None else nodes,
        "power": farm.power.model_dump(mode="json", by_alias=True, exclude_unset=True),
    }


def _announce(gateway: "Gateway", out: TextIO) -> None:
    # A farm serves whether or not anybody reads this.
    with suppress(OSError):
        out.write(
            f"ready grpc={gateway.grpc_address} metrics={gateway.metrics_address}"
            f" nodes={gateway.ready_nodes}\n"
        )
        out.flush()
