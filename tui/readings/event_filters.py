"""Which events an operator wants to see, as typed: `pi-07 kind:throttled !severity:info`.

Every term must hold. A word is anywhere in an event; after `kind:`, `severity:`, `subject:` or
`detail:` it is in that alone; `!` in front turns a term round.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from farm.core.events import FarmEvent

_Test: TypeAlias = Callable[[FarmEvent], bool]

_PARTS: Final[Mapping[str, Callable[[FarmEvent], str]]] = {
    "kind": lambda event: event.kind,
    "severity": lambda event: event.severity,
    "subject": lambda event: event.subject,
    "detail": lambda event: event.detail,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """What was typed. Of a term that is wrong `problem` says why, and the others count."""

    tests: tuple[_Test, ...] = ()
    problem: str = ""

    def takes(self, event: FarmEvent) -> bool:
        """Whether an event is to be seen."""
        return all(test(event) for test in self.tests)


def parsed(text: str) -> EventFilter:
    """Return the filter that a text asks for; never raises."""
    tests: list[_Test] = []
    problem = ""
    for term in text.split():
        wanted = term.removeprefix("!")
        name, colon, word = wanted.partition(":")
        if not wanted:
            problem = problem or "!: what is not wanted follows it, as in !info"
        elif colon and name.lower() in _PARTS:
            tests.append(_test(term, _PARTS[name.lower()], word))
        else:
            # Versions of models have colons too, as in digits:1.
            tests.append(_test(term, _everything, wanted))
    return EventFilter(tests=tuple(tests), problem=problem)


def _everything(event: FarmEvent) -> str:
    return f"{event.kind}\n{event.severity}\n{event.subject}\n{event.detail}"


def _test(term: str, part: Callable[[FarmEvent], str], word: str) -> _Test:
    plain, unwanted = _plain(word), term.startswith("!")
    return lambda event: (plain in _plain(part(event))) is not unwanted


def _plain(text: str) -> str:
    """Return a text without spaces, for terms have none: kind:nodelost finds a node_lost."""
    return text.casefold().replace("_", "").replace(" ", "")
