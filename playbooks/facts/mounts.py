"""What is mounted on a host, and how."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from playbooks.commands import Result
from playbooks.facts.base import Fact


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """One mount; a later one at the same place hides an earlier one."""

    source: str
    filesystem: str
    options: frozenset[str]

    @property
    def read_only(self) -> bool:
        return "ro" in self.options


def _parse(told: Result) -> Mapping[str, Mount]:
    rows = (line.split() for line in told.stdout.splitlines())
    return {
        _unescaped(row[1]): Mount(
            source=_unescaped(row[0]), filesystem=row[2], options=frozenset(row[3].split(","))
        )
        for row in rows
        if len(row) == 6
    }


def _unescaped(text: str) -> str:
    # proc(5): space, tab, newline and backslash are written in octal.
    return re.sub(r"\\([0-3][0-7]{2})", lambda found: chr(int(found[1], 8)), text)


# By the folder they are mounted at.
MOUNTS = Fact(name="mounts", command="cat /proc/self/mounts", parse=_parse)
