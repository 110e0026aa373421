"""What of the farm is installed on a host: releases, and which of them each service runs."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from playbooks import layout
from playbooks.commands import Result, sh
from playbooks.facts.base import Fact


class ReleaseState(StrEnum):
    """How far a release's installation came; a refused one does not run on the host's CPU."""

    COMPLETE = "complete"
    REFUSED = "refused"
    UNFINISHED = "unfinished"


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """`releases` by name, and the name of the release that each service `runs`."""

    releases: Mapping[str, ReleaseState]
    runs: Mapping[str, str]

    @property
    def complete(self) -> bool:
        """Whether any release is ready to run."""
        return ReleaseState.COMPLETE in self.releases.values()


def _parse(told: Result) -> Installation:
    names = re.findall(r"^release (\S+)$", told.stdout, re.MULTILINE)
    stamps = re.findall(r"^stamp \.(complete|refused) \S*/(\S+)$", told.stdout, re.MULTILINE)
    links = re.findall(r"^link (\S+) (?:\S*/)?([^/\s]+)$", told.stdout, re.MULTILINE)
    states = {release: ReleaseState(stamp) for stamp, release in stamps}
    return Installation(
        releases={name: states.get(name, ReleaseState.UNFINISHED) for name in names},
        runs=dict(links),
    )


def _find(folder: str, depth: int, told: str, *tests: str) -> str:
    depths = ("-mindepth", str(depth), "-maxdepth", str(depth))
    return sh("find", folder, *depths, *tests, "-printf", f"{told}\\n")


INSTALLATION = Fact(
    name="installation",
    command="\n".join(
        (
            _find(layout.SOFTWARE, 1, "link %f %l", "-type", "l"),
            _find(layout.RELEASES, 1, "release %f", "-type", "d"),
            _find(layout.RELEASES, 2, "stamp %f %h", "-name", ".[cr]*"),
        )
    ),
    parse=_parse,
)
