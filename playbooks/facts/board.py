"""Which board a host is, as its firmware names it."""

from playbooks.commands import Result
from playbooks.facts.base import Fact


def _parse(told: Result) -> str:
    # The device tree ends its strings with NUL.
    return told.stdout.strip("\0\r\n ") if told.exit_code == 0 else ""


# "Raspberry Pi 4 Model B Rev 1.5"; "" where there is no device tree. The first path is what
# the second is called by older and by most programs.
BOARD = Fact(
    name="board",
    command="cat /proc/device-tree/model || cat /sys/firmware/devicetree/base/model",
    parse=_parse,
)
