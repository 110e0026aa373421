"""`farm inventory`: is the file right, what does it say, where does one come from."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from farm.cli.exits import Exit, farm_errors
from farm.cli.inventory_options import InventoryFile, Limit
from farm.cli.options import Output, OutputFormat

if TYPE_CHECKING:
    from farm.inventory import Host, Inventory

app = typer.Typer(help="The file that names a farm's hosts.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """The file that names a farm's hosts."""


@app.command("check")
def check(inventory: InventoryFile, output: OutputFormat = Output.TABLE) -> None:
    """Say whether the file is right; if not, everything that is wrong, with line and key."""
    from farm.cli.tables import print_json

    with farm_errors():
        from farm.inventory import load_inventory

        found = load_inventory(inventory)
    if output is Output.JSON:
        farm = found.farm
        print_json(
            "check",
            {
                "file": str(inventory),
                "farm": farm.name,
                "head": found.head.name if found.hosts else None,
                "hosts": len(found.hosts),
                "nodes": farm.embedded.nodes if farm.embedded is not None else len(found.nodes),
            },
        )
        return
    sys.stdout.write(f"{inventory}: ok, {_summary(found)}\n")


@app.command("show")
def show(
    inventory: InventoryFile, limit: Limit = None, output: OutputFormat = Output.TABLE
) -> None:
    """List the hosts, ranges expanded and defaults applied."""
    from farm.cli.tables import print_json, print_table

    with farm_errors():
        from farm.inventory import load_inventory

        found = load_inventory(inventory)
        hosts = found.limited_to(limit or ())
    if output is Output.JSON:
        document = found.model_dump(mode="json", by_alias=True)
        document["hosts"] = [host.model_dump(mode="json", by_alias=True) for host in hosts]
        print_json("inventory", document)
        return
    if not hosts:
        sys.stdout.write(f"{found.farm.name}: {_summary(found)}\n")
        return
    print_table(
        f"Hosts of {found.farm.name}: {_summary(found)}",
        ("host", "role", "address", "user", "board", "labels", "meter", "price"),
        [_row(host, found.farm.power.currency or "") for host in hosts],
    )


@app.command("schema")
def schema() -> None:
    """Print the JSON schema of the file, by which editors complete and check it."""
    from farm.inventory import schema

    sys.stdout.write(json.dumps(schema(), indent=2) + "\n")


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="An Ansible inventory, INI or YAML.")],
    head: Annotated[
        str, typer.Option(metavar="NAME", help="Which host is the head; the others serve.")
    ],
    name: Annotated[str, typer.Option(metavar="NAME", help="The farm's name.")] = "shelf",
) -> None:
    """Print an Ansible inventory as one of the farm's, and on stderr what it leaves out."""
    with farm_errors():
        from farm.core.text import printable
        from farm.inventory.ansible import import_ansible
        from farm.inventory.yaml_tree import read_text

        imported = import_ansible(read_text(file), file=file, head=head, farm_name=name)
    unread = [name for name in ("group_vars", "host_vars") if (file.parent / name).is_dir()]
    for note in (*imported.notes, *(f"{name} beside {file} is not read" for name in unread)):
        sys.stderr.write(f"farm: {printable(note, 1000)}\n")
    sys.stdout.write(imported.text)
    if imported.problems:
        sys.stderr.write(f"farm: correct by hand: {imported.problems}\n")
        raise SystemExit(Exit.PARTLY_FAILED)


def _summary(inventory: "Inventory") -> str:
    farm = inventory.farm
    if farm.embedded is not None:
        return f"an embedded farm of {farm.embedded.nodes} nodes"
    hosts, nodes = len(inventory.hosts), len(inventory.nodes)
    return (
        f"{hosts} host{'s' * (hosts != 1)}, head {inventory.head.name},"
        f" {nodes} node{'s' * (nodes != 1)}"
    )


def _row(host: "Host", currency: str) -> tuple[str, ...]:
    port = f" port {host.port}" if host.port != 22 else ""
    labels = " ".join(f"{key}={value}" for key, value in host.labels.items())
    price = f"{host.board_price:g} {currency}" if host.board_price is not None else "-"
    return (
        host.name, host.role, host.address + port, host.user, host.board or "-", labels or "-",
        host.meter.type if host.meter is not None else "-", price,
    )  # fmt: skip
