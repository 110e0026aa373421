"""Ansible's inventory as INI: sections of hosts, of children and of variables."""

import re
import shlex
from collections.abc import Callable
from typing import TypeAlias

from farm.core.text import printable
from farm.inventory.ansible.groups import UNGROUPED, Groups
from farm.inventory.problems import Problem, refusal

# Reads one line of a group's section into the groups; raises ValueError if it cannot.
_LineReader: TypeAlias = Callable[[Groups, str, str], None]

_SECTION = re.compile(r"\[([^:\]\s]+)(?::(\w+))?\]\s*(?:[#;].*)?")
# A name or range with a port behind it; an IPv6 address has more colons.
_WITH_PORT = re.compile(r"((?:[^\[\]:]|\[[^\[\]]*\])+):([0-9]{1,5})")


def parse_ini(text: str, *, file: str) -> Groups:
    """Return the hosts and groups of a text.

    Raises:
        ConfigurationError: a line cannot be understood; the message names all such lines.
    """
    groups = Groups()
    problems: list[Problem] = []
    section = UNGROUPED
    read: _LineReader = _host_line
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not line or line[0] in "#;":
            continue
        try:
            if found := _SECTION.fullmatch(line):
                section = found[1]
                read = _reader(found[2])
                groups.add_group(section)
            else:
                read(groups, section, line)
        except ValueError as error:
            problems.append(Problem(number, f"[{section}]", str(error)))
    if problems:
        raise refusal(file, problems)
    return groups


def _reader(kind: str | None) -> _LineReader:
    readers = {"hosts": _host_line, "children": _child_line, "vars": _variable_line}
    if kind is None:
        return _host_line
    if kind not in readers:
        raise ValueError(f"there is no section of {printable(kind)}; it is children or vars")
    return readers[kind]


def _host_line(groups: Groups, section: str, line: str) -> None:
    pattern, *assignments = shlex.split(line, comments=True) or [""]
    variables = dict(_assignment(text) for text in assignments)
    if found := _WITH_PORT.fullmatch(pattern):
        pattern = found[1]
        variables.setdefault("ansible_port", found[2])
    groups.add_hosts(pattern, section, variables)


def _child_line(groups: Groups, section: str, line: str) -> None:
    groups.add_group(line.partition("#")[0].strip(), parent=section)


def _variable_line(groups: Groups, section: str, line: str) -> None:
    groups.set_variables(section, dict([_assignment(line)]))


def _assignment(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise ValueError(f"'{printable(text)}' is no assignment like ansible_user=pi")
    value = value.strip()
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        value = value[1:-1]
    return name.strip(), value
