"""Which nodes an operator wants to see, as typed: `pi-1 state:ready temp>=70 !board:zero`.

Every term must hold. A word is in any text of a node; `column:word` in that column's; a number
is compared with what a column shows, in its unit; `!` in front turns a term round.
"""

import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from tui.readings.columns import COLUMNS, Column
from tui.readings.reading import NodeReading

_Test: TypeAlias = Callable[[NodeReading], bool]

_TERM: Final = re.compile(r"([A-Za-z]+)(:|>=|<=|>|<|=)(.*)", re.DOTALL)
# A number, and a unit that is not looked at.
_NUMBER: Final = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))[^0-9.]{0,4}")
_COMPARISONS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What was typed. Of a term that is wrong `problem` says why, and the others count."""

    tests: tuple[_Test, ...] = ()
    problem: str = ""

    def takes(self, reading: NodeReading) -> bool:
        """Whether a node is to be seen."""
        return all(test(reading) for test in self.tests)


class _TermError(Exception):
    """A term that cannot be understood, and why."""


def parsed(text: str) -> Filter:
    """Return the filter that a text asks for; never raises."""
    tests: list[_Test] = []
    problem = ""
    for term in text.split():
        try:
            tests.append(_term(term))
        except _TermError as error:
            problem = problem or str(error)
    return Filter(tests=tuple(tests), problem=problem)


def _term(term: str) -> _Test:
    if term.startswith("!"):
        if term == "!":
            raise _TermError("!: what is not wanted follows it, as in !lost")
        test = _term(term[1:])
        return lambda reading: not test(reading)
    found = _TERM.fullmatch(term)
    if found is None:
        return _word(term)
    name, sign, wanted = found.groups()
    column = _column(name)
    if sign in _COMPARISONS:
        return _comparison(column, sign, wanted)
    if column.text is None:
        raise _TermError(f"{term}: {column.id} is a number; say {column.id}>5 or {column.id}<5")
    return _text(column.text, wanted)


def _column(name: str) -> Column:
    """Return the column of a name, or of the beginning of one."""
    name = name.lower()
    found = [column for column in COLUMNS if column.id.startswith(name)]
    exact = [column for column in found if column.id == name]
    if len(found) != 1 and not exact:
        known = ", ".join(column.id for column in found or COLUMNS)
        raise _TermError(f"{name}: {'which of' if found else 'no such column; there are'} {known}")
    return (exact or found)[0]


def _word(word: str) -> _Test:
    wanted = _plain(word)
    texts = [column.text for column in COLUMNS if column.text]
    return lambda reading: (
        wanted in _plain(reading.node.reason) or any(wanted in _plain(t(reading)) for t in texts)
    )


def _text(text: Callable[[NodeReading], str], wanted: str) -> _Test:
    plain = _plain(wanted)
    return lambda reading: plain in _plain(text(reading))


def _plain(text: str) -> str:
    """Return a text without spaces, for terms have none: board:pi4b finds a Pi 4B."""
    return text.replace(" ", "").casefold()


def _comparison(column: Column, sign: str, wanted: str) -> _Test:
    if column.unit is None:
        raise _TermError(
            f"{column.id}{sign}{wanted}: {column.id} is no number; say {column.id}:..."
        )
    number = _NUMBER.fullmatch(wanted)
    if number is None:
        raise _TermError(
            f"{column.id}{sign}{wanted}: a number belongs there, as in {column.id}{sign}5"
        )
    limit, compare = float(number[1]), _COMPARISONS[sign]

    def holds(reading: NodeReading) -> bool:
        value = column.value(reading)
        return value is not None and math.isfinite(value) and compare(value, limit)

    return holds
