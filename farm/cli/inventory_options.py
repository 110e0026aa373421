"""Options of the commands that act on an inventory, and how they read it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from farm.cli import completion

if TYPE_CHECKING:
    from farm.inventory import Inventory

InventoryFile = Annotated[
    Path,
    typer.Option(
        "--inventory",
        "-i",
        envvar="FARM_INVENTORY",
        metavar="FILE",
        help="The farm's hosts, such as inventory/example.yaml.",
    ),
]
Limit = Annotated[
    list[str] | None,
    typer.Option(
        "--limit",
        metavar="NAME",
        autocompletion=completion.hosts,
        help="Only these hosts: a name, a range like 'pi-[01:03]', a glob like 'pi-*' or a label"
        " like rack=a. May be given several times.",
    ),
]


def read_inventory(file: Path) -> "Inventory":
    """Return an inventory whose hosts something is to be done to.

    Raises:
        ConfigurationError: it is wrong, or an embedded farm's, which has no hosts.
    """
    from farm.core.errors import ConfigurationError
    from farm.inventory import load_inventory

    inventory = load_inventory(file)
    if not inventory.hosts:
        raise ConfigurationError(
            f"{file} is an embedded farm, without hosts: run it with `farm up -i {file}`"
        )
    return inventory
