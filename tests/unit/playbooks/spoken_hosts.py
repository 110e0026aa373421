"""Hosts for tests that answer questions with given texts, and fail in given ways."""

import re
import shlex
from collections.abc import Callable, Mapping
from typing import Any

from playbooks.commands import Put, Result, Run
from playbooks.facts.base import Fact
from playbooks.transport import HostError


class SpokenHost:
    """A transport whose host says `says` of each fact by its name, and else nothing.

    `fails` is raised by every command from the one on whose privilege is `fails_as_root`.
    """

    def __init__(
        self,
        says: Mapping[str, str | Result] | None = None,
        *,
        facts: Mapping[str, Fact[Any]],
        fails: HostError | None = None,
        fails_as_root: bool = False,
        meets: Callable[[], None] = lambda: None,
    ) -> None:
        self._says = dict(says or {})
        self._facts = facts
        self._fails = fails
        self._fails_as_root = fails_as_root
        self._meets = meets
        self.asked: list[tuple[str, bool]] = []

    def run(self, command: Run) -> Result:
        if self._fails is not None and (command.sudo or not self._fails_as_root):
            raise self._fails
        self._meets()
        opening = re.search(r"facts ([0-9a-f]{16})", command.text)
        assert opening is not None, "only questions are answered"
        asked = [fact for fact in self._facts.values() if shlex.quote(fact.command) in command.text]
        asked.sort(key=lambda fact: command.text.index(shlex.quote(fact.command)))
        self.asked += [(fact.name, command.sudo) for fact in asked]
        stdout = stderr = f"facts {opening[1]}\n"
        for number, fact in enumerate(asked):
            said = self._says.get(fact.name, Result(exit_code=127))
            told = Result(stdout=said) if isinstance(said, str) else said
            closing = f"\n{opening[1]} {number} {told.exit_code}\n"
            stdout += told.stdout + closing
            stderr += told.stderr + closing
        return Result(stdout=stdout, stderr=stderr)

    def put(self, command: Put) -> None:
        raise AssertionError(f"a doctor changes nothing, and never {command}")

    def close(self) -> None:
        return
