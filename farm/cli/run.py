"""`farm run`: what the services of a farm of several machines run."""

import os
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from farm.cli.exits import farm_errors

app = typer.Typer(
    help="Run a part of a farm in the foreground, as its systemd units do.", no_args_is_help=True
)

Config = Annotated[
    Path, typer.Option("--config", metavar="FILE", help="The file that bootstrap wrote for it.")
]


@app.command("node")
def node(config: Config) -> None:
    """Keep this machine in the farm's cluster, for its node to serve."""
    with farm_errors():
        from farm.run_config import NodeRunConfig, load_run_config

        _become(load_run_config(NodeRunConfig, config).machine().program(sys.executable))


@app.command("head")
def head(config: Config) -> None:
    """Lead the farm's cluster."""
    with farm_errors():
        from farm.run_config import HeadRunConfig, load_run_config

        _become(load_run_config(HeadRunConfig, config).machine().program(sys.executable))


@app.command("gateway")
def gateway(config: Config) -> None:
    """Serve clients over the farm's nodes until SIGTERM, then drain.

    SIGUSR1 makes it leave its clients to the gateway that has been started beside it.
    """
    with farm_errors():
        from farm.run_config import GatewayRunConfig, load_run_config

        settings = load_run_config(GatewayRunConfig, config)
        from farm.attached import run_attached
        from farm.logs import configure_logging

        log = configure_logging()
        # Ray prints on standard output when a worker dies.
        with redirect_stdout(sys.stderr):
            run_attached(settings, log=log)


def _become(program: list[str]) -> NoReturn:
    """Replace this process by a smaller one that keeps its place with the service manager."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(program[0], program)  # noqa: S606 - the arguments are our own
