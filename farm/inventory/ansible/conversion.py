"""Ansible's hosts as a farm's, and what of them is left behind."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

import yaml

from farm.core.errors import ConfigurationError
from farm.core.suggestions import nearest
from farm.core.text import printable
from farm.inventory.ansible.groups import ALL, UNGROUPED, Member
from farm.inventory.ansible.ini_form import parse_ini
from farm.inventory.ansible.yaml_form import parse_yaml
from farm.inventory.reading import parse_inventory
from farm.inventory.words import name_problem

# Our key for each variable of Ansible's that has one, the present name before the old one.
_CARRIED: Final[Mapping[str, str]] = {
    "ansible_host": "address",
    "ansible_ssh_host": "address",
    "ansible_port": "port",
    "ansible_ssh_port": "port",
    "ansible_user": "user",
    "ansible_ssh_user": "user",
    "ansible_ssh_private_key_file": "ssh_key",
    "ansible_private_key_file": "ssh_key",
}
_SHARED: Final = ("user", "port", "ssh_key")
_SECRET = re.compile(r"pass(word|wd|phrase)?(_|$)|secret|token|vault", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """An inventory's text, what it lacks of the original, and what must be corrected in it."""

    text: str
    notes: Sequence[str]
    problems: str = ""


def import_ansible(text: str, *, file: Path, head: str, farm_name: str) -> Imported:
    """Return an Ansible inventory, a text that came from `file`, as one of a farm.

    `head` is Ansible's name of the host that becomes the farm's head.

    Raises:
        ConfigurationError: it cannot be understood, or has no such host.
    """
    if text.startswith("#!"):
        raise ConfigurationError(
            f"{file} is a program: write what `ansible-inventory -i {file} --list --yaml` prints"
            " into a file, and import that"
        )
    parse = parse_yaml if _is_yaml(file, text) else parse_ini
    try:
        members = list(parse(text, file=str(file)).members())
    except ValueError as error:
        raise ConfigurationError(f"{file}: {error}") from error
    conversion = _Conversion(str(file))
    document = conversion.document(members, head, farm_name)
    written = yaml.safe_dump(
        document, sort_keys=False, default_flow_style=None, allow_unicode=True, width=100
    )
    try:
        parse_inventory(written, file="the result", folder=Path())
    except ConfigurationError as error:
        return Imported(text=written, notes=conversion.notes(), problems=error.message)
    return Imported(text=written, notes=conversion.notes())


def _is_yaml(file: Path, text: str) -> bool:
    """Whether a file is YAML by its name, or else by its first line that says something."""
    if file.suffix in (".yaml", ".yml", ".json"):
        return True
    lines = (line.split("#")[0].rstrip() for line in text.splitlines())
    first = next((line for line in lines if line), "")
    return first == "---" or first.endswith(":") or first.startswith("{")


class _Conversion:
    """One inventory on its way; remembers what is left behind."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._left: Counter[str] = Counter()
        self._secrets: set[str] = set()
        self._notes: list[str] = []

    def document(self, members: Sequence[Member], head: str, farm_name: str) -> dict[str, Any]:
        """Return the content of the farm's inventory.

        Raises:
            ConfigurationError: there is no host, or none of the head's name.
        """
        local = [m.name for m in members if m.variables.get("ansible_connection") == "local"]
        if local:
            self._notes.append(f"left out, for they are not reached over SSH: {', '.join(local)}")
        remote = {member.name: member for member in members if member.name not in local}
        if head not in remote:
            raise ConfigurationError(
                f"--head {printable(head)}: {self._file} has no such host"
                f"{nearest(head, list(remote)) or '; it has ' + printable(', '.join(remote), 400)}"
            )
        hosts = {}
        names = self._names(list(remote))
        for member in remote.values():
            role = "node" if member.name != head else "head" if len(remote) > 1 else "both"
            name = names[member.name]
            hosts[name] = self._host(member, role)
            if name != member.name:
                self._notes.append(f"{member.name} is named {name}, as in DNS")
        defaults = _taken_out(hosts)
        document: dict[str, Any] = {"farm": {"name": farm_name}}
        if defaults:
            document["defaults"] = defaults
        return document | {"hosts": hosts}

    def notes(self) -> list[str]:
        """Return what was left behind, a line each."""
        notes = [*self._notes]
        if self._secrets:
            notes.append(
                f"secrets are never carried over: {', '.join(sorted(self._secrets))}; use SSH keys,"
                " and give sudo's password at the prompt"
            )
        if self._left:
            told = ", ".join(f"{name} of {count}" for name, count in sorted(self._left.items()))
            notes.append(f"the farm has no use for variables of so many hosts: {told}")
        return notes

    def _host(self, member: Member, role: str) -> dict[str, Any]:
        host: dict[str, Any] = {"address": member.name, "role": role}
        for variable, key in reversed(list(_CARRIED.items())):
            value = member.variables.get(variable)
            if not isinstance(value, str):
                continue
            if "{{" in value or value.startswith("$ANSIBLE_VAULT"):
                self._notes.append(
                    f"{variable} of {member.name} is a template or encrypted, and left out"
                )
            else:
                # A port that is none stays text, for the check to name it.
                is_port = key == "port" and value.isdecimal() and len(value) < 6
                host[key] = int(value) if is_port else value
        for variable in member.variables.keys() - _CARRIED.keys():
            if _SECRET.search(variable):
                self._secrets.add(variable)
            else:
                self._left[variable] += 1
        groups = [group for group in member.groups if group not in (ALL, UNGROUPED)]
        return host | ({"labels": dict.fromkeys(groups, "yes")} if groups else {})

    def _names(self, originals: Sequence[str]) -> dict[str, str]:
        """Return a name of the farm's form for each host: up to the first dot if that tells."""
        heads = {name: name if _is_ip(name) else name.partition(".")[0] for name in originals}
        short = {name: _dashed(head) for name, head in heads.items()}
        times = Counter(short.values())
        names = {name: new if times[new] == 1 else _dashed(name) for name, new in short.items()}
        if alike := sorted(name for name, count in Counter(names.values()).items() if count > 1):
            raise ConfigurationError(
                f"{self._file} has hosts that would have the same name: {', '.join(alike)}; rename"
                " them there, in lower-case letters, digits and hyphens"
            )
        return names


def _is_ip(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _dashed(name: str) -> str:
    if name_problem(name) is None:
        return name
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _taken_out(hosts: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Take what all hosts say alike out of them, and return it."""
    shared: dict[str, Any] = {}
    first = next(iter(hosts.values()))
    for key in _SHARED:
        if key in first and all(host.get(key) == first[key] for host in hosts.values()):
            shared[key] = first[key]
    for host in hosts.values():
        for key in shared:
            del host[key]
    return shared
