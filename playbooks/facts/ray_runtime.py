"""Which Ray and which Python a service's release has: machines of a cluster must have the same."""

import re
from dataclasses import dataclass

from playbooks import layout
from playbooks.commands import Result
from playbooks.facts.base import Fact

_FOUND = re.compile(r"/lib/python(\d+\.\d+)/site-packages/ray-(\d[^/\s]*)\.dist-info")


@dataclass(frozen=True, slots=True, kw_only=True)
class RayRuntime:
    """Versions as text, Python's without its patch level, "" where nothing is installed."""

    python: str = ""
    ray: str = ""


def _parse(told: Result) -> RayRuntime:
    found = _FOUND.search(told.stdout)
    return RayRuntime() if found is None else RayRuntime(python=found[1], ray=found[2])


def ray_runtime(service: str) -> Fact[RayRuntime]:
    """Return the question what a service such as `head-a` runs on."""
    return Fact(
        name=f"ray of {service}",
        command=f"ls -d {layout.link(service)}/lib/python3*/site-packages/ray-*.dist-info",
        parse=_parse,
    )
