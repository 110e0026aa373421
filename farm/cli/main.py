"""The root of the `farm` command."""

import errno
import io
import os
import sys
from typing import Annotated, Final

import typer

from farm import __version__
from farm.cli import (
    baselines,
    bench,
    bootstrap,
    calibrate,
    certs,
    contexts,
    demo,
    doctor,
    hosts,
    infer,
    inventory,
    ledger,
    models,
    nodes,
    report,
    run,
    sim,
    support_bundle,
    tokens,
    top,
    uninstall,
    up,
    upgrade,
)
from farm.cli.exits import Exit

# A disk that is full, and a reader that has gone away, such as `head`.
_UNWRITABLE: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EPIPE)

app = typer.Typer(
    name="farm",
    help="One inference service from a shelf of Raspberry Pis, and what every answer costs.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
app.command("up")(up.up)
app.command("demo")(demo.demo)
app.command("infer")(infer.infer)
app.command("bench")(bench.bench)
app.command("top")(top.top)
app.command("report")(report.report)
app.command("doctor")(doctor.doctor)
app.command("bootstrap")(bootstrap.bootstrap)
app.command("upgrade")(upgrade.upgrade)
app.command("uninstall")(uninstall.uninstall)
app.command("calibrate")(calibrate.calibrate)
app.command("support-bundle")(support_bundle.support_bundle)
app.add_typer(models.app, name="models")
app.add_typer(nodes.app, name="nodes")
app.add_typer(ledger.app, name="ledger")
app.add_typer(sim.app, name="sim")
app.add_typer(baselines.app, name="baselines")
app.add_typer(certs.app, name="certs")
app.add_typer(tokens.app, name="tokens")
app.add_typer(contexts.app, name="contexts")
app.add_typer(inventory.app, name="inventory")
app.add_typer(hosts.app, name="hosts")
app.add_typer(run.app, name="run")


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
    _open_streams()
    try:
        try:
            # However it was started: what is shown is to be typed.
            app(prog_name="farm")
        finally:
            sys.stdout.flush()
    except OSError as error:
        if error.errno not in _UNWRITABLE:
            raise
        # What is still to be written would fail once more when the process ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if error.errno != errno.EPIPE:
            sys.stderr.write(f"farm: what there is to say cannot be written: {error.strerror}\n")
        raise SystemExit(Exit.FAILED) from error


def _open_streams() -> None:
    """Give a process that was started without standard streams some that lead nowhere.

    Names of files and of others are anything; what standard output cannot encode is escaped.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdin = sys.stdin or open(os.devnull)  # noqa: PTH123, SIM115
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: PTH123, SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: PTH123, SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
