"""What tells one machine from another."""

import re
from dataclasses import dataclass

from playbooks.commands import Result
from playbooks.facts.base import Fact
from playbooks.facts.reading import pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """ "" where the host does not tell.

    `boot_id` is new with every start and no two machines share it; `machine_id` and
    `host_key`, SSH's, are made once and copied with an SD card.
    """

    boot_id: str = ""
    machine_id: str = ""
    host_key: str = ""


def _parse(told: Result) -> Machine:
    said = pairs(told.stdout)
    host_key = re.search(r"^ssh-ed25519 ([A-Za-z0-9+/=]{40,100})", told.stdout, re.MULTILINE)
    return Machine(
        boot_id=said.get("boot", ""),
        machine_id=said.get("machine", ""),
        host_key=host_key[1] if host_key else "",
    )


MACHINE = Fact(
    name="machine",
    command="""sed 's/^/boot=/' /proc/sys/kernel/random/boot_id
sed 's/^/machine=/' /etc/machine-id
cat /etc/ssh/ssh_host_ed25519_key.pub
""",
    parse=_parse,
)
