"""A host's cores and their class, by which the version of ONNX Runtime is chosen."""

from dataclasses import dataclass

from farm.core.cpu_classes import cpu_class
from playbooks.commands import Result
from playbooks.facts.base import Fact
from playbooks.facts.reading import pairs, whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Cpu:
    """`cores` is None, `cpu_class` "" where the host does not tell."""

    cores: int | None = None
    cpu_class: str = ""


def _parse(told: Result) -> Cpu:
    said = pairs(told.stdout)
    return Cpu(
        cores=whole(said.get("cores")), cpu_class=cpu_class(told.stdout, said.get("machine", ""))
    )


# The first core speaks for all: a host with many repeats itself for pages.
CPU = Fact(
    name="cpu",
    command="""printf 'cores=%s\\nmachine=%s\\n' "$(nproc)" "$(uname -m)"
grep -m 1 -E '^(CPU part|flags)[[:space:]]*:' /proc/cpuinfo
""",
    parse=_parse,
)
