"""Which Debian packages a host has."""

import re
from collections.abc import Mapping, Sequence

from playbooks.commands import Result, sh
from playbooks.facts.base import Fact


def _parse(told: Result) -> Mapping[str, str]:
    rows = re.findall(r"^(\S+) installed (\S+)$", told.stdout, re.MULTILINE)
    return dict(rows)


def packages(names: Sequence[str]) -> Fact[Mapping[str, str]]:
    """Return the question which of these packages are installed: their versions by name."""
    wanted = sorted(set(names))
    return Fact(
        name=f"packages {' '.join(wanted)}",
        command=sh(
            "dpkg-query",
            "-W",
            "-f",
            "${Package} ${db:Status-Status} ${Version}\\n",
            *wanted,
        ),
        parse=_parse,
    )
