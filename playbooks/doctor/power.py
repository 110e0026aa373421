"""Checks of a board's supply and heat."""

from collections.abc import Iterator

from playbooks.doctor.check import Check, Subject, Verdict, info, ok, warning
from playbooks.facts.board import BOARD
from playbooks.facts.firmware import FIRMWARE

# Bits of `get_throttled` (`farm.core.vcgencmd`); shifted, whether it has occurred.
_UNDER_VOLTAGE = 0b0001
_SLOWED = {0b0010: "its clock capped", 0b0100: "throttled", 0b1000: "at its soft limit of heat"}
_SINCE_START = 16

# The firmware slows boards down from 80 °C (a 3B+ from 60 °C).
_HOT_C = 80.0
_WARM_C = 70.0

_COOLER = "give it a heat sink or a fan, and air around it"


def _supply(subject: Subject) -> Iterator[Verdict]:
    flags, board = subject.facts[FIRMWARE].throttle_flags, subject.facts[BOARD]
    amperes = "5 V, 5 A" if "Raspberry Pi 5" in board else "5 V, 3 A"
    fix = f"use the official supply ({amperes}) and a short, thick cable; unplug USB devices"
    if flags is None:
        yield _silent(subject)
    elif flags & _UNDER_VOLTAGE:
        yield warning(
            "its supply is too weak right now: the board runs slower and may restart under load",
            fix,
        )
    elif flags >> _SINCE_START & _UNDER_VOLTAGE:
        yield warning("its supply was too weak at least once since it was started", fix)
    else:
        yield ok("the supply has held since it was started")


def _throttling(subject: Subject) -> Iterator[Verdict]:
    firmware = subject.facts[FIRMWARE]
    flags = firmware.throttle_flags
    if flags is None:
        yield _silent(subject)
        return
    clock = f" ({firmware.clock_hz / 1e6:.0f} MHz)" if firmware.clock_hz else ""
    now = [what for bit, what in _SLOWED.items() if flags & bit]
    since = [what for bit, what in _SLOWED.items() if flags >> _SINCE_START & bit]
    fix = f"{_COOLER}; if the finding `supply` is bad too, begin there"
    if now:
        yield warning(f"it is {' and '.join(now)} right now{clock}: every answer takes longer", fix)
    elif since:
        yield warning(f"it was {' and '.join(since)} at least once since it was started", fix)
    else:
        yield ok("it has run at full speed since it was started")


def _temperature(subject: Subject) -> Iterator[Verdict]:
    heat_c = subject.facts[FIRMWARE].temperature_c
    if heat_c is None:
        yield info("the host does not tell its temperature")
    elif heat_c >= _HOT_C:
        yield warning(f"{heat_c:.0f} °C: the firmware slows it down", _COOLER)
    elif heat_c >= _WARM_C:
        yield info(f"{heat_c:.0f} °C before there is any load", _COOLER)
    else:
        yield ok(f"{heat_c:.0f} °C")


def _silent(subject: Subject) -> Verdict:
    if subject.facts[FIRMWARE].answers:
        return info(
            "vcgencmd gives no answer",
            f"let the user ask the firmware: `sudo usermod -aG video {subject.host.user}`",
        )
    return info("no firmware to ask: there is no vcgencmd, as on anything but a Raspberry Pi")


POWER = (
    Check(name="supply", reads=(FIRMWARE, BOARD), judge=_supply),
    Check(name="throttling", reads=(FIRMWARE,), judge=_throttling),
    Check(name="temperature", reads=(FIRMWARE,), judge=_temperature),
)
