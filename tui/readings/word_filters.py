"""What an operator wants to see, as typed in words: `pi-07 kind:throttled !severity:info`.

Every term must hold. A word is anywhere in a thing; after the name of a part, such as `kind:`, it
is in that alone; `!` in front turns a term round.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

Thing = TypeVar("Thing")

# The text of each part of a thing, by its name.
Parts: TypeAlias = Mapping[str, Callable[[Thing], str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class WordFilter(Generic[Thing]):
    """What was typed. Of a term that is wrong `problem` says why, and the others count."""

    tests: tuple[Callable[[Thing], bool], ...] = ()
    problem: str = ""

    def takes(self, thing: Thing) -> bool:
        """Whether a thing is to be seen."""
        return all(test(thing) for test in self.tests)


def parsed(text: str, parts: Parts[Thing]) -> WordFilter[Thing]:
    """Return the filter that a text asks for, of things that have these parts; never raises."""
    tests: list[Callable[[Thing], bool]] = []
    problem = ""

    def everything(thing: Thing) -> str:
        return "\n".join(part(thing) for part in parts.values())

    for term in text.split():
        wanted = term.removeprefix("!")
        name, colon, word = wanted.partition(":")
        if not wanted:
            problem = problem or "!: what is not wanted follows it, as in !info"
        elif colon and name.lower() in parts:
            tests.append(_test(term, parts[name.lower()], word))
        else:
            # Versions of models have colons too, as in digits:1.
            tests.append(_test(term, everything, wanted))
    return WordFilter(tests=tuple(tests), problem=problem)


def _test(term: str, part: Callable[[Thing], str], word: str) -> Callable[[Thing], bool]:
    plain, unwanted = _plain(word), term.startswith("!")
    return lambda thing: (plain in _plain(part(thing))) is not unwanted


def _plain(text: str) -> str:
    """Return a text without spaces, for terms have none: kind:nodelost finds a node_lost."""
    return text.casefold().replace("_", "").replace(" ", "")
