"""Reads what commands print, whatever it is."""

import re


def pairs(text: str) -> dict[str, str]:
    """Return the `KEY=VALUE` lines of a text, without quotes around values; the last one wins."""
    found = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {key.strip(): value.strip().strip("\"'") for key, _, value in found}


def whole(text: str | None) -> int | None:
    """Return a number of decimal digits, or None if it is something else."""
    stripped = (text or "").strip()
    return int(stripped) if re.fullmatch(r"[0-9]{1,18}", stripped) else None


def version(text: str | None) -> tuple[int, ...] | None:
    """Return the first `1.2` or `1.2.3` in a text as numbers, or None without one."""
    found = re.search(r"(?<![0-9.])([0-9]{1,6}(?:\.[0-9]{1,6}){1,3})", text or "")
    return tuple(int(part) for part in found[1].split(".")) if found else None
