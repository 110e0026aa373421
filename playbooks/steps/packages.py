"""The few packages of the distribution that a bare host lacks."""

from collections.abc import Iterator, Sequence

from playbooks import layout
from playbooks.cache import CachedFile
from playbooks.commands import Command, Put, Run, sh
from playbooks.debs import NEEDED, install_debs_text
from playbooks.facts.base import Facts
from playbooks.facts.packages import packages
from playbooks.steps.base import Step

PACKAGES = packages(sorted(NEEDED))

_FIREWALL = "nftables"

_INSTALL_S = 600.0


def missing(facts: Facts, *, firewall: bool) -> list[str]:
    """Return the packages that a host lacks, of those that the farm needs."""
    needed = NEEDED.keys() if firewall else NEEDED.keys() - {_FIREWALL}
    return sorted(needed - facts[PACKAGES].keys())


def installed(files: Sequence[CachedFile], *, firewall: bool) -> Step:
    """Return the step that installs packages, fetched as `files`, where any is missing."""

    def plan(facts: Facts) -> Iterator[Command]:
        lacking = missing(facts, firewall=firewall)
        if not lacking:
            return
        if not files:
            yield Run(text="true", shown=f"install {', '.join(lacking)}", sudo=True)
            return
        yield Run(text=sh("mkdir", "-p", layout.DEBS), sudo=True)
        for file in files:
            yield Put(content=file.path, to=f"{layout.DEBS}/{file.name}")
        yield Run(
            text=f"{install_debs_text(files)}\n{sh('rm', '-rf', layout.DEBS)}",
            shown=f"install {', '.join(lacking)} from {len(files)} .deb files",
            sudo=True,
            timeout_s=_INSTALL_S,
        )

    return Step(name="packages", reads=[PACKAGES], plan=plan)
