"""What is mounted on a host, and how."""

import re
from collections.abc import Mapping

from playbooks.commands import Result
from playbooks.facts.base import Fact


def _parse(told: Result) -> Mapping[str, frozenset[str]]:
    rows = (line.split() for line in told.stdout.splitlines())
    return {_unescaped(row[1]): frozenset(row[3].split(",")) for row in rows if len(row) == 6}


def _unescaped(text: str) -> str:
    # proc(5): space, tab, newline and backslash are written in octal.
    return re.sub(r"\\([0-3][0-7]{2})", lambda found: chr(int(found[1], 8)), text)


# The options of each mount by its folder; a later mount at one place hides an earlier one.
MOUNTS = Fact(name="mounts", command="cat /proc/self/mounts", parse=_parse)
