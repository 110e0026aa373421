"""Which metrics and labels a PromQL expression names. No parser: just enough to find them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_TOKEN = re.compile(
    r"""(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`)
      | (?P<range>\[[^\]]*\])
      | (?P<word>[a-zA-Z_:][a-zA-Z0-9_:]*)
      | (?P<number>[0-9][0-9a-zA-Z.]*)
      | (?P<matches>=~|!~|!=|=)
      | (?P<other>\S)""",
    re.VERBOSE,
)
# What is followed by labels in parentheses.
_GROUPINGS = frozenset({"by", "without", "on", "ignoring", "group_left", "group_right"})
_OPERATORS = frozenset({"and", "or", "unless", "bool", "offset", "inf", "nan"})


@dataclass(frozen=True)
class Selector:
    """A metric and what is asked of its labels: operator and value by label."""

    metric: str
    matchers: dict[str, tuple[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Names:
    """What an expression names; `groupings` are the labels that it aggregates or joins by."""

    selectors: list[Selector]
    groupings: set[str]


def names(expression: str) -> Names:
    """Return the metrics and labels of an expression.

    Raises:
        ValueError: a bracket is never closed, or something cannot stand where it does.
    """
    tokens = list(_tokens(expression))
    found = Names(selectors=[], groupings=set())
    place = 0
    while place < len(tokens):
        kind, token = tokens[place]
        following = tokens[place + 1][1] if place + 1 < len(tokens) else ""
        place += 1
        if kind != "word" or token in _OPERATORS:
            continue
        if token in _GROUPINGS:
            if following == "(":
                end = _end(tokens, place, ")")
                found.groupings.update(t for k, t in tokens[place:end] if k == "word")
                place = end + 1
        elif following == "{":
            end = _end(tokens, place, "}")
            found.selectors.append(Selector(token, dict(_matchers(tokens[place + 1 : end]))))
            place = end + 1
        elif following != "(" and not _aggregates(tokens, place):
            found.selectors.append(Selector(token))
    return found


def _tokens(expression: str) -> Iterator[tuple[str, str]]:
    for match in _TOKEN.finditer(expression):
        assert match.lastgroup is not None
        yield match.lastgroup, match.group()


def _aggregates(tokens: list[tuple[str, str]], place: int) -> bool:
    """Whether a word is an aggregation whose labels come before what it aggregates."""
    return place < len(tokens) and tokens[place][1] in {"by", "without"}


def _end(tokens: list[tuple[str, str]], start: int, bracket: str) -> int:
    for place in range(start, len(tokens)):
        if tokens[place][1] == bracket:
            return place
    raise ValueError(f"no {bracket} after {tokens[start][1]}")


def _matchers(tokens: list[tuple[str, str]]) -> Iterator[tuple[str, tuple[str, str]]]:
    wanted = [t for t in tokens if t[1] != ","]
    if len(wanted) % 3:
        raise ValueError(f"these are no matchers: {' '.join(t for _, t in tokens)}")
    for label, operator, value in zip(wanted[::3], wanted[1::3], wanted[2::3], strict=True):
        if (label[0], operator[0], value[0]) != ("word", "matches", "text"):
            raise ValueError(f"this is no matcher: {label[1]}{operator[1]}{value[1]}")
        yield label[1], (operator[1], value[1][1:-1])
