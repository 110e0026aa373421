"""From a file to an inventory: every section on its own, then all hosts together."""

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from farm.core.errors import ConfigurationError
from farm.inventory import consistency, form_problems
from farm.inventory.expansion import hosts_of, names_of
from farm.inventory.form import HostForm, InventoryForm
from farm.inventory.model import FarmSettings, HostSettings, Inventory
from farm.inventory.problems import refusal
from farm.inventory.ranges import MOST_HOSTS
from farm.inventory.yaml_tree import Key, Tree, read_text, read_tree
from farm.sections.problems import unknown_key

Form = TypeVar("Form", bound=BaseModel)


def load_inventory(path: Path) -> Inventory:
    """Return the inventory in a file; relative paths in it start at its folder.

    Raises:
        ConfigurationError: it cannot be read or something in it is wrong; the message names
            the file, and of everything that is wrong the line and the key.
    """
    return parse_inventory(read_text(path), file=str(path), folder=path.parent)


def parse_inventory(text: str, *, file: str, folder: Path) -> Inventory:
    """Return the inventory in a text that came from `file`, in `folder`.

    Raises:
        ConfigurationError: as `load_inventory`.
    """
    tree = read_tree(text, file=file)
    content = tree.content
    if not isinstance(content, dict):
        said = "is empty" if content is None else "must be a mapping with the keys farm and hosts"
        raise ConfigurationError(f"{file} {said}; see docs/inventory.md")
    for key in content.keys() - InventoryForm.model_fields.keys():
        tree.blame((key,), unknown_key(key, InventoryForm))
    # What is wrong in one section hides nothing of the others: all is told in one go.
    farm = _located(_section(tree, FarmSettings, ("farm",), content.get("farm", {})), folder)
    defaults = _section(tree, HostSettings, ("defaults",), content.get("defaults", {}))
    entries = content.get("hosts", {})
    if not isinstance(entries, dict):
        tree.blame(("hosts",), "must be a mapping of names to hosts, like pi-01: {address: …}")
        entries = {}
    hosts = []
    for names, values in entries.items():
        entry = _section(tree, HostForm, ("hosts", names), values)
        if entry is None:
            names_of(tree, names)
        else:
            hosts += hosts_of(tree, names, entry, defaults or HostSettings(), folder)
        if len(hosts) > MOST_HOSTS:
            tree.blame(("hosts",), f"are more than {MOST_HOSTS}")
            break
    consistency.check(tree, farm, hosts)
    if tree.problems or farm is None:
        raise refusal(file, tree.problems)
    return Inventory(farm=farm, hosts=tuple(host for _, host in hosts))


def _located(farm: FarmSettings | None, folder: Path) -> FarmSettings | None:
    """Return the settings with a relative path of theirs starting at a folder."""
    if farm is None or farm.power.baselines is None:
        return farm
    power = farm.power.model_copy(update={"baselines": folder / farm.power.baselines})
    return farm.model_copy(update={"power": power})


def _section(tree: Tree, form: type[Form], key: Key, values: object) -> Form | None:
    try:
        return form.model_validate(values)
    except ValidationError as error:
        form_problems.blame(tree, form, error, at=key)
        return None
