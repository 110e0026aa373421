"""The farm's own user on a host."""

from collections.abc import Iterator

from playbooks import layout
from playbooks.commands import Command, Run, sh
from playbooks.facts.base import Facts
from playbooks.facts.users import user
from playbooks.steps.base import Step
from playbooks.transport import HostError

_SHELL = "/usr/sbin/nologin"
_USER = user(layout.USER)


def account(host: str) -> Step:
    """Return the step after which the user exists, who owns what services write.

    One of that name with another home is somebody's own, perhaps the one who logs in.
    """

    def plan(facts: Facts) -> Iterator[Command]:
        known = facts[_USER]
        if known is None:
            options = ("--system", "--user-group", "--home-dir", layout.HOME, "--shell", _SHELL)
            yield Run(text=sh("useradd", *options, "--no-create-home", layout.USER), sudo=True)
        elif known.home != layout.HOME:
            raise HostError(
                f"{host}: it has a user '{layout.USER}' already, whose home is {known.home}, and"
                " the farm's services need that name",
                fix=f"rename that user there: `sudo usermod --login OTHER {layout.USER}`",
            )
        elif known.shell != _SHELL:
            yield Run(text=sh("usermod", "--shell", _SHELL, layout.USER), sudo=True)

    return Step(name="user", reads=[_USER], plan=plan)
