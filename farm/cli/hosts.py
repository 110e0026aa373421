"""`farm hosts trust`: which key each host must show from now on."""

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from farm.cli.exits import Exit, farm_errors
from farm.cli.inventory_options import InventoryFile, Limit, read_inventory
from farm.cli.options import Output, OutputFormat
from farm.cli.progress import doing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playbooks.trust import ShownKey

app = typer.Typer(name="hosts", help="The machines of a farm, over SSH.", no_args_is_help=True)


@app.command()
def trust(
    inventory: InventoryFile,
    limit: Limit = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Accept new keys without asking. Changed ones need more.")
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Accept keys in place of others that were known.")
    ] = False,
    output: OutputFormat = Output.TABLE,
) -> None:
    """Show the hosts' key fingerprints, ask, and write them down.

    Every other command refuses hosts whose key is not known or has changed. Compare with the
    host's own screen: `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub`.
    """
    with farm_errors():
        from farm.contexts import FarmHome
        from playbooks.trust import Standing, accept, shown_keys

        farm = read_inventory(inventory)
        known_hosts = FarmHome.of(os.environ).folder(farm.farm.name).known_hosts
        hosts = farm.limited_to(limit or ())
        with doing(f"asking {len(hosts)} hosts for their keys"):
            shown = shown_keys(hosts, known_hosts)
        _report(shown, output)
        changed = [one for one in shown if one.standing is Standing.CHANGED]
        taken = [one for one in shown if one.key is not None and one.standing is Standing.NEW]
        refused = changed
        if replace:
            taken, refused = [*taken, *changed], []
        if taken and _agreed(taken, yes=yes):
            accept(taken, known_hosts)
            sys.stderr.write(f"{len(taken)} keys written to {known_hosts}\n")
        else:
            refused = [*refused, *taken]
        _end(shown, refused=refused)


def _agreed(taken: "Sequence[ShownKey]", *, yes: bool) -> bool:
    if yes:
        return True
    if not sys.stdin.isatty():
        sys.stderr.write("farm: nobody is there to be asked; pass --yes to accept new keys\n")
        return False
    return typer.confirm(f"Are these {len(taken)} the hosts' own keys?", err=True)


def _report(shown: "Sequence[ShownKey]", output: Output) -> None:
    from farm.cli.tables import print_json, print_table

    if output is Output.JSON:
        print_json(
            "hosts",
            [
                {
                    "host": one.host.name,
                    "address": one.host.address,
                    "port": one.host.port,
                    "type": one.kind or None,
                    "fingerprint": one.fingerprint or None,
                    "standing": str(one.standing) if one.key is not None else None,
                    "error": one.error.message if one.error is not None else None,
                }
                for one in shown
            ],
        )
        return
    print_table(
        "Host keys",
        ("host", "address", "type", "fingerprint", ""),
        [
            (
                one.host.name,
                f"{one.host.address}:{one.host.port}",
                one.kind or "-",
                one.fingerprint or "-",
                str(one.standing) if one.error is None else one.error.message,
            )
            for one in shown
        ],
    )


def _end(shown: "Sequence[ShownKey]", *, refused: "Sequence[ShownKey]") -> None:
    """End the command with what it could not do, if anything."""
    for one in refused:
        sys.stderr.write(
            f"farm: {one.host.name}: its {one.standing} key was not accepted; if the host was set"
            " up anew, pass --replace; if it was not, somebody answers in its place\n"
            if one.standing == "changed"
            else f"farm: {one.host.name}: its key was not accepted and the host is not trusted\n"
        )
    silent = [one for one in shown if one.error is not None]
    if silent and len(silent) == len(shown):
        raise SystemExit(Exit.UNREACHABLE)
    if refused and len(refused) == len(shown):
        raise SystemExit(Exit.INTEGRITY)
    if silent or refused:
        raise SystemExit(Exit.PARTLY_FAILED)
