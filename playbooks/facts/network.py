"""A host's interfaces: addresses, speed, and the one that SSH came in by."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address

from playbooks.commands import Result
from playbooks.facts.base import Fact
from playbooks.facts.reading import pairs, whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """`speed_mbps` is None where the driver does not tell, as over the air."""

    name: str
    speed_mbps: int | None = None
    wireless: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """`interfaces` by address, in its shortest form; `reached_at` is "" if SSH did not tell."""

    interfaces: Mapping[str, Interface]
    reached_at: str = ""


def _parse(told: Result) -> Network:
    by_name = {
        found["name"]: Interface(
            name=found["name"],
            speed_mbps=whole(found["speed"]) or None,
            wireless=bool(found["wireless"]),
        )
        for found in re.finditer(
            r"^link (?P<name>\S{1,64}) speed (?P<speed>-?[0-9]*)(?P<wireless> wireless)?$",
            told.stdout,
            re.MULTILINE,
        )
    }
    addresses = re.finditer(
        r"^[0-9]+: +(?P<name>[^\s@]{1,64})(?:@\S+)? +inet6? +(?P<address>[0-9a-fA-F.:]+)",
        told.stdout,
        re.MULTILINE,
    )
    ssh = pairs(told.stdout).get("ssh", "").split()
    return Network(
        interfaces={
            short_address(found["address"]): by_name.get(
                found["name"], Interface(name=found["name"])
            )
            for found in addresses
        },
        # Client address, client port, server address, server port.
        reached_at=short_address(ssh[2]) if len(ssh) == 4 else "",
    )


def short_address(text: str) -> str:
    """Return an IP address in its shortest form, and anything else as it is."""
    try:
        return str(ip_address(text))
    except ValueError:
        return text


NETWORK = Fact(
    name="network",
    command="""printf 'ssh=%s\\n' "$SSH_CONNECTION"
for folder in /sys/class/net/*; do
    speed=
    read -r speed <"$folder/speed"
    wireless=
    if [ -e "$folder/wireless" ] || [ -e "$folder/phy80211" ]; then wireless=' wireless'; fi
    printf 'link %s speed %s%s\\n' "${folder##*/}" "$speed" "$wireless"
done
ip -o address show
""",
    parse=_parse,
)
