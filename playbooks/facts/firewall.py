"""Whether the farm's own table of the firewall is in force."""

from playbooks.commands import Result
from playbooks.facts.base import Fact

# What nft says of a table that is not there; any other failure tells nothing.
_ABSENT = "No such file or directory"


def _parse(told: Result) -> bool | None:
    if told.exit_code == 0:
        return "hook input" in told.stdout
    return False if _ABSENT in told.stderr else None


# None where nothing tells. That its unit has run says nothing of it: whoever flushes all rules,
# as a start of nftables.service does, takes the farm's table along.
FIREWALL = Fact(name="firewall", command="nft list table inet farm", parse=_parse, sudo=True)
