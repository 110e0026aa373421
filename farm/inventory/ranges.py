"""Ranges in names and addresses: `pi-[01:03]` is pi-01, pi-02 and pi-03."""

import re
from itertools import product
from typing import Final

# A farm has one gateway, which leads some 64 nodes; what is far beyond that is a slip.
MOST_HOSTS: Final = 1024

_RANGE = re.compile(r"\[([0-9]{1,9}|[A-Za-z]):([0-9]{1,9}|[A-Za-z])(?::([0-9]{1,9}))?\]")
_FORM = "a range is like [01:16], [1:16:2] or [a:f]"


def has_range(text: str) -> bool:
    """Whether `text` has a range, or something that is meant to be one."""
    return "[" in text or "]" in text


def expanded(text: str) -> list[str]:
    """Return what a text with ranges stands for; one without any stands for itself.

    Both ends belong to a range, its third part is the step. A leading zero keeps the numbers
    at that width. Of several ranges the last one turns fastest.

    Raises:
        ValueError: a range is none, runs backwards, or there are more than `MOST_HOSTS`.
    """
    pieces: list[list[str]] = []
    total = 1
    end = 0
    for found in _RANGE.finditer(text):
        pieces.append([_literal(text[end : found.start()])])
        total *= _count(found)
        if total > MOST_HOSTS:
            raise ValueError(f"is more than {MOST_HOSTS} hosts")
        pieces.append(_members(found))
        end = found.end()
    pieces.append([_literal(text[end:])])
    return ["".join(parts) for parts in product(*pieces)]


def _literal(text: str) -> str:
    if has_range(text):
        raise ValueError(f"has a bracket outside of a range; {_FORM}")
    return text


def _ends(found: re.Match[str]) -> tuple[int, int, int]:
    """Return a range's first number, its last and its step; of letters, their codes."""
    first, last, step = found.groups()
    if first.isdigit() != last.isdigit() or first.isupper() != last.isupper():
        raise ValueError(f"has the range {found[0]} from one kind to another; {_FORM}")
    low, high = (int(first), int(last)) if first.isdigit() else (ord(first), ord(last))
    if low > high:
        raise ValueError(f"has the range {found[0]}, which ends before it begins")
    if step is not None and int(step) == 0:
        raise ValueError(f"has the range {found[0]}, whose step must be 1 or more")
    return low, high, int(step or 1)


def _count(found: re.Match[str]) -> int:
    low, high, step = _ends(found)
    return (high - low) // step + 1


def _members(found: re.Match[str]) -> list[str]:
    first, last, _ = found.groups()
    low, high, step = _ends(found)
    numbers = range(low, high + 1, step)
    if not first.isdigit():
        return [chr(number) for number in numbers]
    padded = any(len(end) > 1 and end.startswith("0") for end in (first, last))
    if padded and len(first) != len(last):
        raise ValueError(
            f"has the range {found[0]}, whose ends have leading zeros but not the same width"
        )
    width = len(first) if padded else 0
    return [str(number).zfill(width) for number in numbers]
