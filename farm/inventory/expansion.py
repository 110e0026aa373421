"""From an entry of the file to the hosts that it stands for."""

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from farm.core.text import printable
from farm.inventory.form import HostForm
from farm.inventory.form_problems import blame
from farm.inventory.model import Host, HostSettings
from farm.inventory.ranges import expanded
from farm.inventory.words import name_problem
from farm.inventory.yaml_tree import Key, Tree


def names_of(tree: Tree, names: str) -> list[str]:
    """Return what a name or a range of names stands for; what is wrong is noted in the tree."""
    found = _expanded(tree, ("hosts", names), names)
    for name in found:
        if problem := name_problem(name):
            tree.blame(("hosts", names), f"{problem}, not '{printable(name)}'")
            return []
    return found


def hosts_of(
    tree: Tree, names: str, entry: HostForm, defaults: HostSettings, folder: Path
) -> list[tuple[str, Host]]:
    """Return the hosts of an entry, each with its `names`; what is wrong is noted in the tree.

    The first name gets the first address and so on. Relative paths start at `folder`.
    """
    key = ("hosts", names)
    found = names_of(tree, names)
    addresses = _expanded(tree, (*key, "address"), entry.address)
    if not found or not addresses:
        return []
    if len(found) != len(addresses):
        tree.blame(
            (*key, "address"),
            f"stands for {len(addresses)} and the name for {len(found)}; each host has one",
        )
        return []
    settings = _settings(entry, defaults)
    if (ssh_key := settings.get("ssh_key")) is not None:
        settings["ssh_key"] = folder / ssh_key
    hosts = []
    for name, address in zip(found, addresses, strict=True):
        try:
            hosts.append((names, Host(name=name, address=address, **settings)))
        except ValidationError as error:
            blame(tree, Host, error, at=key)
    return hosts


def _settings(entry: HostForm, defaults: HostSettings) -> dict[str, Any]:
    """Return what the entry says, over what the defaults say; labels add up."""
    given = {name: getattr(defaults, name) for name in defaults.model_fields_set}
    given |= {name: getattr(entry, name) for name in entry.model_fields_set - {"address"}}
    return given | {"labels": {**defaults.labels, **entry.labels}}


def _expanded(tree: Tree, key: Key, text: str) -> list[str]:
    try:
        return expanded(text)
    except ValueError as error:
        tree.blame(key, f"{error}, not '{printable(text)}'")
        return []
