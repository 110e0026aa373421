"""Whether a host can resolve its own name: Ray's agents start ten times slower without."""

import re
from dataclasses import dataclass

from playbooks.commands import Result
from playbooks.facts.base import Fact
from playbooks.facts.reading import pairs, whole


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnName:
    """`addresses` is empty if nothing was found within 5 s; `took_s` is how long it took."""

    name: str = ""
    addresses: frozenset[str] = frozenset()
    took_s: float | None = None


def _parse(told: Result) -> OwnName:
    said = pairs(told.stdout)
    took_ns = whole(said.get("took_ns"))
    return OwnName(
        name=said.get("name", ""),
        addresses=frozenset(re.findall(r"^([0-9a-fA-F.:]+)\s+STREAM", told.stdout, re.MULTILINE)),
        took_s=None if took_ns is None else took_ns / 1e9,
    )


OWN_NAME = Fact(
    name="own name",
    command="""name=$(uname -n)
printf 'name=%s\\n' "$name"
began=$(date +%s%N)
timeout 5 getent ahosts "$name"
echo "took_ns=$(($(date +%s%N) - began))"
""",
    parse=_parse,
)
