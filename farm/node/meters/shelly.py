"""Plugs and relays by Shelly, of the first generation (Gen1) and all later ones (Gen2+).

Watts are taken, not the energy counters: at a board's few watts a Gen1's counter makes a step
of a watt-minute (60 J) every dozen seconds and falls to 0 when the plug restarts, and a Gen2's
moves by the minute as far as anybody promises, while watts follow the load within a second or
two. What the counter is for is to catch watts that are not true (`cross_check`).
"""

from farm.node.meters.json_documents import at
from farm.node.meters.network import Question
from farm.node.meters.reading import Fault, Reading, number

_J_PER_WH = 3600.0
_J_PER_WATT_MINUTE = 60.0

# A plug that has not learnt the time counts from 1970, or not at all.
_SET_CLOCK_UNIX_S = 1e9


def questions(channel: int) -> tuple[Question, ...]:
    """Return what to ask, of the later generations first."""
    return (
        Question(f"/rpc/Switch.GetStatus?id={channel}", parse_gen2),
        Question("/status", lambda document: parse_gen1(document, channel)),
    )


def parse_gen2(document: object) -> Reading | Fault:
    """Return the reading in an answer to Switch.GetStatus: watts, and watt-hours counted."""
    watts = number(at(document, "apower"))
    if watts is None:
        return Fault("tells no apower: its model does not measure power")
    minute = number(at(document, "aenergy", "minute_ts"))
    clock = minute is not None and minute > _SET_CLOCK_UNIX_S
    return Reading(
        watts=watts,
        counted_j=number(at(document, "aenergy", "total"), _J_PER_WH),
        tick=f"{minute:.0f}" if clock else "",
        tick_s=60.0,
    )


def parse_gen1(document: object, channel: int) -> Reading | Fault:
    """Return the reading in an answer to /status: watts, and watt-minutes counted."""
    watts = number(at(document, "meters", channel, "power"))
    if watts is None:
        return Fault(f"tells no power of channel {channel}: check its model and `channel`")
    if at(document, "meters", channel, "is_valid") is False:
        return Fault("says itself that its reading is not valid: restart it")
    uptime_s = number(at(document, "uptime"))
    return Reading(
        watts=watts,
        counted_j=number(at(document, "meters", channel, "total"), _J_PER_WATT_MINUTE),
        tick="" if uptime_s is None else f"{uptime_s:.0f}",
    )
