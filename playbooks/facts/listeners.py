"""Who listens on which TCP ports of a host."""

import re
from dataclasses import dataclass

from playbooks.commands import Result
from playbooks.facts.base import Fact


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """`process` is "" and `pid` None where the host does not tell; `uid` 0 is root."""

    port: int
    process: str = ""
    pid: int | None = None
    uid: int = 0


def _parse(told: Result) -> tuple[Listener, ...] | None:
    if told.exit_code != 0:
        return None
    listeners = []
    for line in told.stdout.splitlines():
        local = re.match(r"LISTEN\s+\S+\s+\S+\s+\S+:([0-9]{1,5})\s", line)
        if local is None:
            continue
        owner = re.search(r'users:\(\("([^"]{1,64})",pid=([0-9]{1,10})', line)
        uid = re.search(r"\buid:([0-9]{1,10})\b", line)
        listeners.append(
            Listener(
                port=int(local[1]),
                process=owner[1] if owner else "",
                pid=int(owner[2]) if owner else None,
                uid=int(uid[1]) if uid else 0,
            )
        )
    return tuple(listeners)


# None where nothing tells. As root, to whom the kernel names everybody's processes.
LISTENERS = Fact(name="listeners", command="ss -H -l -t -n -p -e", parse=_parse, sudo=True)
