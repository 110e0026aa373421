"""Whether the firmware holds a Raspberry Pi back, and by how much.

A board that is hot, or whose supply is weak, runs below its highest clock while the kernel
may go on reporting that one, so the firmware is asked through `vcgencmd`.
"""

import subprocess
from dataclasses import dataclass
from shutil import which
from time import monotonic

from farm.core.vcgencmd import arm_clock_hz, throttle_flags
from farm.node import probes

# Bits of `get_throttled` that mean a lower clock now: frequency capped, throttled, soft
# temperature limit. Bit 0 is under-voltage, bits 16-19 say that one of these has occurred.
_SLOWED = 0b1110

_INTERVAL_S = 5.0
# Twice this, where nothing answers, and the 1 s between heartbeats must stay below the 2 s
# of silence after which a node is suspect.
_TIMEOUT_S = 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttle:
    """The firmware's flags, None where nothing tells them, and the clock that is left.

    `speed` is the present clock as a share of the highest, above 0 and at most 1.
    """

    flags: int | None = None
    speed: float = 1.0


class ThrottleProbe:
    """Asks the firmware every few seconds, for each question takes it milliseconds.

    A clock that it could not read under load then, it reads as soon as there is some.
    """

    def __init__(self) -> None:
        self._known = Throttle()
        self._asked_at: float | None = None
        self._awaits_load = False
        self._command = which("vcgencmd")

    def read(self, *, busy: bool) -> Throttle:
        """Return what is known now; `busy` says that the cores have work.

        Below its highest clock a core is slow only if flags say why: else it is idle, and
        would speed up for a batch. While it is held back the clock counts only when it is
        read under load, for the same reason.
        """
        now = monotonic()
        due = self._asked_at is None or now - self._asked_at >= _INTERVAL_S
        if self._command and (due or (busy and self._awaits_load)):
            self._asked_at = now
            self._known = self._ask(self._command, busy=busy)
        return self._known

    def _ask(self, command: str, *, busy: bool) -> Throttle:
        flags = throttle_flags(_output(command, "get_throttled"))
        slowed = flags is not None and bool(flags & _SLOWED)
        self._awaits_load = slowed and not busy
        if not slowed:
            return Throttle(flags=flags)
        speed = self._known.speed
        if busy:
            clock_hz = arm_clock_hz(_output(command, "measure_clock", "arm")) or probes.clock_hz()
            speed = share(clock_hz, probes.highest_clock_hz())
        return Throttle(flags=flags, speed=speed)


def share(clock_hz: float | None, highest_hz: float | None) -> float:
    """Return one clock as a share of another, 1 where either is unknown."""
    if not clock_hz or not highest_hz:
        return 1.0
    return min(clock_hz / highest_hz, 1.0)


def _output(command: str, *arguments: str) -> str:
    try:
        done = subprocess.run(
            [command, *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""
