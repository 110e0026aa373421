"""Ansible's inventory as YAML: groups of hosts, children and vars, nested."""

from typing import Any

from farm.core.suggestions import nearest
from farm.inventory.ansible.groups import ALL, Groups
from farm.inventory.problems import refusal
from farm.inventory.yaml_tree import Key, Tree, read_tree

_PARTS = ("hosts", "children", "vars")


def parse_yaml(text: str, *, file: str) -> Groups:
    """Return the hosts and groups of a text.

    Raises:
        ConfigurationError: it is not YAML, or not an inventory; the message names all lines.
    """
    tree = read_tree(text, file=file, foreign_tags=True)
    groups = Groups()
    for name, content in _mapping(tree, (), tree.content).items():
        _add_group(tree, (name,), content, groups, parent=ALL)
    if tree.problems:
        raise refusal(file, tree.problems)
    return groups


def _add_group(tree: Tree, key: Key, content: Any, groups: Groups, *, parent: str) -> None:
    name = str(key[-1])
    groups.add_group(name, parent=parent)
    parts = _mapping(tree, key, content)
    for part in parts.keys() - set(_PARTS):
        tree.blame((*key, part), f"a group has {', '.join(_PARTS)}{nearest(part, _PARTS)}")
    for pattern, variables in _mapping(tree, (*key, "hosts"), parts.get("hosts")).items():
        place = (*key, "hosts", pattern)
        try:
            groups.add_hosts(pattern, name, _mapping(tree, place, variables))
        except ValueError as error:
            tree.blame(place, str(error))
    for child, inner in _mapping(tree, (*key, "children"), parts.get("children")).items():
        _add_group(tree, (*key, "children", child), inner, groups, parent=name)
    groups.set_variables(name, _mapping(tree, (*key, "vars"), parts.get("vars")))


def _mapping(tree: Tree, key: Key, value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    if value is not None:
        tree.blame(key, "must be a mapping, as `ansible-inventory --list --yaml` prints it")
    return {}
