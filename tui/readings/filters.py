"""What an operator wants to see, as typed: `pi-07 state:ready temp>=70 !board:zero`.

Every term must hold. A word is anywhere in a thing; after the name of a part, or as much of that
as is no other's, it is in that part alone; a number is compared with that part; `!` in front turns
a term round.
"""

import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeAlias, TypeVar

Thing = TypeVar("Thing")

_Test: TypeAlias = Callable[[Thing], bool]

# The grammar, for those who type.
TERMS: Final = (
    ("word", "it is somewhere; spaces, _ and capital letters do not count"),
    ("part:word", "it is in that part, whose name may be cut short"),
    ("part>5", "a number: also >=, < and <="),
    ("!term", "what does not hold; of several terms all must"),
)

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
class Part(Generic[Thing]):
    """A part of a thing: `text` is what words are looked for in, `number` what is compared."""

    name: str
    text: Callable[[Thing], str] | None = None
    number: Callable[[Thing], float | None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter(Generic[Thing]):
    """What was typed. Of a term that is wrong `problem` says why, and the others count."""

    tests: tuple[_Test[Thing], ...] = ()
    problem: str = ""

    def takes(self, thing: Thing) -> bool:
        """Whether a thing is to be seen."""
        return all(test(thing) for test in self.tests)


class _TermError(Exception):
    """A term that cannot be understood, and why."""


def parsed(text: str, parts: Sequence[Part[Thing]]) -> Filter[Thing]:
    """Return the filter that a text asks for, of things that have these parts; never raises."""
    tests: list[_Test[Thing]] = []
    problem = ""
    for term in text.split():
        try:
            tests.append(_term(term, parts))
        except _TermError as error:
            problem = problem or str(error)
    return Filter(tests=tuple(tests), problem=problem)


def _term(term: str, parts: Sequence[Part[Thing]]) -> _Test[Thing]:
    wanted = term.lstrip("!")
    if not wanted:
        raise _TermError("!: what is not wanted follows it, as in !lost")
    test = _positive(wanted, parts)
    return test if (len(term) - len(wanted)) % 2 == 0 else lambda thing: not test(thing)


def _positive(term: str, parts: Sequence[Part[Thing]]) -> _Test[Thing]:
    found = _TERM.fullmatch(term)
    if found is None:
        return _word(term, parts)
    name, sign, wanted = found.groups()
    part = _part(name.lower(), parts, compared=sign in _COMPARISONS)
    if part is None:
        # Versions of models and addresses have colons too, as in digits:1.
        if sign not in _COMPARISONS and (not wanted or wanted.isdecimal()):
            return _word(term, parts)
        known = ", ".join(each.name for each in parts)
        raise _TermError(f"{name}: no such part; there are {known}")
    if sign in _COMPARISONS:
        return _comparison(part, sign, wanted)
    if part.text is None:
        raise _TermError(f"{term}: {part.name} is a number; say {part.name}>5 or {part.name}<5")
    return _word(wanted, [part])


def _part(name: str, parts: Sequence[Part[Thing]], *, compared: bool) -> Part[Thing] | None:
    """Return the part of a name, or of the beginning of one, rather one that fits the sign."""
    found = [part for part in parts if part.name == name]
    found = found or [part for part in parts if part.name.startswith(name)]
    fit = [part for part in found if (part.number if compared else part.text) is not None]
    if len(fit or found) > 1:
        raise _TermError(f"{name}: which of {', '.join(part.name for part in fit or found)}")
    return next(iter(fit or found), None)


def _word(word: str, parts: Sequence[Part[Thing]]) -> _Test[Thing]:
    plain = _plain(word)
    texts = [part.text for part in parts if part.text is not None]
    return lambda thing: any(plain in _plain(text(thing)) for text in texts)


def _plain(text: str) -> str:
    """Return a text without spaces, for terms have none: board:pi4b finds a Pi 4B."""
    return text.casefold().replace("_", "").replace(" ", "")


def _comparison(part: Part[Thing], sign: str, wanted: str) -> _Test[Thing]:
    if part.number is None:
        raise _TermError(
            f"{part.name}{sign}{wanted}: {part.name} is no number; say {part.name}:..."
        )
    found = _NUMBER.fullmatch(wanted)
    if found is None:
        raise _TermError(
            f"{part.name}{sign}{wanted}: a number belongs there, as in {part.name}{sign}5"
        )
    number, limit, compare = part.number, float(found[1]), _COMPARISONS[sign]

    def holds(thing: Thing) -> bool:
        value = number(thing)
        return value is not None and math.isfinite(value) and compare(value, limit)

    return holds
