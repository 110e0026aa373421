"""The farm's own user on a host."""

from collections.abc import Iterator

from playbooks import layout
from playbooks.commands import Command, Run, sh
from playbooks.facts.base import Facts
from playbooks.facts.users import user
from playbooks.steps.base import Step

_SHELL = "/usr/sbin/nologin"
_USER = user(layout.USER)


def account() -> Step:
    """Return the step after which the user exists, who owns what services write."""

    def plan(facts: Facts) -> Iterator[Command]:
        known = facts[_USER]
        if known is None:
            options = ("--system", "--user-group", "--home-dir", layout.HOME, "--shell", _SHELL)
            yield Run(text=sh("useradd", *options, "--no-create-home", layout.USER), sudo=True)
        elif (known.home, known.shell) != (layout.HOME, _SHELL):
            yield Run(
                text=sh("usermod", "--home", layout.HOME, "--shell", _SHELL, layout.USER),
                sudo=True,
            )

    return Step(name="user", reads=[_USER], plan=plan)
