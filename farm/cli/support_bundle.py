"""`farm support-bundle`: what a maintainer needs to help, and nothing that nobody should see."""

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from farm import __version__
from farm.cli.exits import farm_errors
from farm.cli.options import Connect, Context, Output, OutputFormat
from farm.cli.progress import doing
from farm.core.errors import ConfigurationError

if TYPE_CHECKING:
    from farm.cli.bundle_parts import Bundle


def support_bundle(
    to: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where to.", show_default="./farm-support-TIME.tar.gz"),
    ] = None,
    inventory: Annotated[
        Path | None,
        typer.Option(
            "--inventory", "-i", envvar="FARM_INVENTORY", metavar="FILE", help="The farm's hosts."
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(envvar="FARM_CONFIG", metavar="FILE", help="The farm.yaml of `farm up`."),
    ] = None,
    log: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="A log, of which the end is taken; may be repeated."),
    ] = None,
    anonymize: Annotated[
        bool, typer.Option("--anonymize", help="Replace IP addresses too; names of hosts stay.")
    ] = False,
    connect: Connect = None,
    context: Context = None,
    output: OutputFormat = Output.TABLE,
) -> None:
    """Write what a maintainer needs to help into a tar.gz, without secrets.

    Versions, this machine, settings, the farm as its gateway tells it, logs. What cannot be had
    is named with the reason. Passwords, tokens, keys, e-mail addresses and home directories are
    taken out; look through it all the same before you hand it on.
    """
    with farm_errors():
        from farm.cli.bundle_gateway import add_gateway
        from farm.cli.bundle_machine import add_logs, add_machine
        from farm.cli.bundle_parts import Gathering, bundled
        from farm.cli.bundle_settings import add_contexts, add_settings
        from farm.core.private_files import PRIVATE, replace_file

        made = datetime.now(UTC)
        folder = f"farm-support-{made:%Y%m%d-%H%M%S}"
        place = Path(f"{folder}.tar.gz") if to is None else to
        if place.exists():
            raise ConfigurationError(f"{place} exists already; choose another one with --to")
        if not place.parent.is_dir():
            raise ConfigurationError(f"--to: there is no folder {place.parent}")
        gathering = Gathering()
        with doing("this machine") as show:
            add_machine(gathering, os.environ)
            add_settings(gathering, config=config, inventory=inventory)
            add_contexts(gathering, os.environ)
            show("logs")
            add_logs(gathering, log or ())
            show("the gateway")
            add_gateway(gathering, connect, context)
        gathering.leave_out("doctor", "it reaches all hosts: add what `farm doctor -o json` prints")
        redactor = gathering.redactor(home=str(Path.home()), anonymize=anonymize)
        bundle = bundled(gathering, redactor, folder=folder, made=made, version=__version__)
        replace_file(place, bundle.archive, mode=PRIVATE)
        _report(place, bundle, output)


def _report(place: Path, bundle: "Bundle", output: Output) -> None:
    from farm.cli.bundle_parts import document
    from farm.cli.tables import print_json, print_table

    if output is Output.JSON:
        print_json("bundle", {"file": str(place), **document(bundle)})
    else:
        print_table(
            str(place),
            ("file", "bytes", ""),
            [
                *((name, str(size), "") for name, size in bundle.files.items()),
                *((each.what, "-", f"left out: {each.why}") for each in bundle.left_out),
            ],
        )
    sys.stderr.write(f"look through {place} before you hand it on: tar -xzOf {place} | less\n")
