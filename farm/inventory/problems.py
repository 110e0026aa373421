"""What is wrong with a file: all of it, each with its line and key."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from farm.core.errors import ConfigurationError
from farm.core.text import printable

# More than anybody reads; beyond it only the number is told.
_MOST_SHOWN: Final = 50


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong; `line` counts from 1 and `key` is dotted, if they are known."""

    line: int | None
    key: str
    reason: str


def refusal(file: str, problems: Sequence[Problem]) -> ConfigurationError:
    """Return the error that tells every problem of a file, one a line and in its order."""
    unique = sorted(set(problems), key=lambda problem: (problem.line or 0, problem.key))
    told = [
        ": ".join(
            part
            for part in (f"{file}:{p.line}" if p.line else file, printable(p.key), p.reason)
            if part
        )
        for p in unique[:_MOST_SHOWN]
    ]
    if len(unique) > _MOST_SHOWN:
        told.append(f"{file}: and {len(unique) - _MOST_SHOWN} more problems")
    if len(told) > 1:
        told.insert(0, f"{file} has {len(unique)} problems:")
    return ConfigurationError("\n".join(told))
