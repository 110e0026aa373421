"""Whether the SSH user may become root."""

from enum import StrEnum

from playbooks.commands import Result
from playbooks.facts.base import Fact


class Sudo(StrEnum):
    """What sudo says without a password. Whether it takes one shows only when it is given."""

    FREE = "free"
    ASKS = "asks"
    ABSENT = "absent"
    UNKNOWN = "unknown"


def _parse(told: Result) -> Sudo:
    said = told.stdout.strip()
    return Sudo(said) if said in set(Sudo) else Sudo.UNKNOWN


SUDO = Fact(
    name="sudo",
    command="""if ! command -v sudo >/dev/null; then echo absent
elif sudo -n true; then echo free
else echo asks
fi
""",
    parse=_parse,
)
