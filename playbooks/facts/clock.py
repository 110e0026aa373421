"""What time a host believes it is, and whether anything keeps it right."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from playbooks.commands import Result
from playbooks.facts.base import Fact
from playbooks.facts.reading import pairs, whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """A host's clock beside the operator's; None where it was not told.

    The host is ahead of the operator by `ahead_s`, give or take `uncertainty_s`: half of
    what the question took. `time_s` is seconds since 1970.
    """

    time_s: float | None = None
    ahead_s: float = 0.0
    uncertainty_s: float = 0.0

    def is_off_by(self, bound_s: float) -> bool:
        """Whether the two differ by more than this for certain."""
        return abs(self.ahead_s) - self.uncertainty_s > bound_s


def clock(now: Callable[[], float]) -> Fact[Clock]:
    """Return the question for a host's clock, to be asked at once and alone.

    `now` is the operator's time in seconds since 1970. It is read here and when the answer
    is parsed, so all that passes in between is uncertainty.
    """
    asked_s = now()

    def parse(told: Result) -> Clock:
        answered_s = now()
        found = re.fullmatch(r"(-?[0-9]{1,12}\.[0-9]{1,9})", told.stdout.strip())
        if found is None:
            return Clock()
        time_s = float(found[1])
        return Clock(
            time_s=time_s,
            ahead_s=time_s - (asked_s + answered_s) / 2,
            uncertainty_s=abs(answered_s - asked_s) / 2,
        )

    return Fact(name="clock", command="date +%s.%N", parse=parse)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeSync:
    """Whether the clock follows a server, and whether it could; None where nothing tells.

    `clocks` is the number of clocks that run on while the host is off.
    """

    synchronised: bool | None = None
    possible: bool | None = None
    clocks: int | None = None


def _parse_sync(told: Result) -> TimeSync:
    said = pairs(told.stdout)
    answers = {"yes": True, "no": False}
    return TimeSync(
        synchronised=answers.get(said.get("NTPSynchronized", "")),
        possible=answers.get(said.get("CanNTP", "")),
        clocks=whole(said.get("clocks")),
    )


# timedatectl asks the kernel, so it knows of chrony and ntpd as well.
TIME_SYNC = Fact(
    name="time sync",
    command="""timedatectl show -p CanNTP -p NTPSynchronized
set -- /sys/class/rtc/rtc*
[ -e "$1" ] || shift
echo "clocks=$#"
""",
    parse=_parse_sync,
)
