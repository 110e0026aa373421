"""Asks many facts in one go: one script there, one pair of streams back."""

import re
from collections.abc import Sequence
from secrets import token_hex
from typing import Any

from playbooks.commands import Result, sh
from playbooks.facts.base import Fact

# One fact's bound; what hangs must not keep the others from being known.
_BOUND_S = 15
# The exit code of a fact that got no answer: no process has it.
_UNANSWERED = -1

# Tools of the administrator are not on every user's path; what they say is read in English.
_PRELUDE = 'export LC_ALL=C PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"'

_OPENING = re.compile(r"^facts ([0-9a-f]{16})\n", re.MULTILINE)


def question(facts: Sequence[Fact[Any]]) -> str:
    """Return a script that asks facts one after the other; `answers` reads its output.

    After each fact a line with its number and exit code goes to both streams. The lines
    hold a number drawn for this question, so that nothing a fact prints is taken for one.
    """
    nonce = token_hex(8)
    lines = [_PRELUDE, 'tell() { printf "$@"; printf "$@" >&2; }', f"tell 'facts {nonce}\\n'"]
    for number, fact in enumerate(facts):
        lines.append(
            f"{sh('timeout', '-k', '1', str(_BOUND_S), 'sh', '-c', fact.command)} </dev/null"
        )
        lines.append(f"tell '\\n{nonce} {number} %d\\n' $?")
    return "\n".join((*lines, "exit 0"))


def answers(told: Result, facts: Sequence[Fact[Any]]) -> dict[str, Any]:
    """Return what facts are, by name, from the output of their `question`.

    A fact without an answer is parsed from an empty one with exit code -1.
    """
    printed, complained = _by_number(told.stdout), _by_number(told.stderr)
    known = {}
    for number, fact in enumerate(facts):
        stdout, exit_code = printed.get(number, ("", _UNANSWERED))
        stderr, _ = complained.get(number, ("", _UNANSWERED))
        known[fact.name] = fact.parse(Result(stdout=stdout, stderr=stderr, exit_code=exit_code))
    return known


def _by_number(stream: str) -> dict[int, tuple[str, int]]:
    """Return what each fact printed on a stream, and its exit code."""
    opening = _OPENING.search(stream)
    if opening is None:
        return {}
    # What a login prints comes before the opening, what sudo asks on standard error too.
    pieces = re.split(rf"\n{opening[1]} (\d{{1,4}}) (\d{{1,3}})\n", stream[opening.end() :])
    triples = zip(pieces[0::3], pieces[1::3], pieces[2::3], strict=False)
    return {int(number): (text, int(exit_code)) for text, number, exit_code in triples}
