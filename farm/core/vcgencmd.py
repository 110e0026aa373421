"""What `vcgencmd`, the tool that asks a Raspberry Pi's firmware, prints."""

import re


def throttle_flags(answer: str) -> int | None:
    """Return the flags in `throttled=0x50005`, or None if this is something else.

    Bit 0 is under-voltage, 1 the frequency capped, 2 throttled, 3 the soft temperature
    limit; bits 16 to 19 say that one of these has occurred since the board was started.
    """
    found = re.fullmatch(r"throttled=0x([0-9a-fA-F]{1,8})", answer.strip())
    return int(found[1], 16) if found else None


def arm_clock_hz(answer: str) -> float | None:
    """Return the hertz in `frequency(48)=600000000`, or None if this is something else."""
    found = re.fullmatch(r"frequency\([0-9]{1,3}\)=([0-9]{1,12})", answer.strip())
    return float(found[1]) if found and int(found[1]) else None


def temperature_c(answer: str) -> float | None:
    """Return the degrees in `temp=59.3'C`, or None if this is something else."""
    found = re.fullmatch(r"temp=(-?[0-9]{1,3}(?:\.[0-9]{1,3})?)'C", answer.strip())
    return float(found[1]) if found else None
