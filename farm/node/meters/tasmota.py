"""Devices with Tasmota, of one channel or several.

Watts are taken, not the energy counter: that one moves by 0.001 kWh (3600 J, a quarter of an
hour of a board's draw) unless its owner has set more digits, and in many versions it is one for
all channels. What it is for is to catch watts that are not true (`cross_check`).
"""

from farm.node.meters.json_documents import at
from farm.node.meters.network import Question
from farm.node.meters.reading import Fault, Reading, number

_J_PER_KWH = 3.6e6


def questions(channel: int) -> tuple[Question, ...]:
    """Return what to ask, of newer versions first."""
    return tuple(
        Question(f"/cm?cmnd=Status%20{number}", lambda document: parse(document, channel))
        for number in (10, 8)
    )


def parse(document: object, channel: int) -> Reading | Fault:
    """Return the reading in an answer to Status 10 or, in older versions, Status 8."""
    energy = at(document, "StatusSNS", "ENERGY")
    if energy is None:
        energy = at(document, "StatusPWR")
    power = at(energy, "Power")
    watts = number(_of_channel(power, channel))
    if watts is None:
        return Fault(f"tells no power of channel {channel}: check its model and `channel`")
    total = at(energy, "Total")
    # One counter for several channels says nothing of one of them.
    apart = isinstance(total, list) or not isinstance(power, list) or len(power) == 1
    clock = at(document, "StatusSNS", "Time")
    return Reading(
        watts=watts,
        counted_j=number(_of_channel(total, channel), _J_PER_KWH) if apart else None,
        tick=clock if isinstance(clock, str) else "",
    )


def _of_channel(value: object, channel: int) -> object:
    """Return a channel's value: devices of one channel have a number instead of a list."""
    return at(value, channel) if isinstance(value, list) or channel else value
