"""Checks of what the SSH user may do, and what could not be asked at all."""

from collections.abc import Iterator

from playbooks.doctor.check import Check, Subject, Verdict, error, ok, unknown
from playbooks.facts.sudo import SUDO, Sudo
from playbooks.findings import Finding, Severity
from playbooks.transport import (
    HostDeniedError,
    HostError,
    HostKeyError,
    HostUnreachableError,
)


def _sudo(subject: Subject) -> Iterator[Verdict]:
    user, state = subject.host.user, subject.facts[SUDO]
    if state is Sudo.ABSENT:
        yield error(
            "there is no sudo: nothing can be installed",
            f"as root: `apt-get install sudo && usermod -aG sudo {user}`",
        )
    elif state is Sudo.UNKNOWN:
        yield unknown("whether the user may use sudo")
    elif state is Sudo.ASKS and not subject.sudo_password:
        yield error(
            f"sudo asks {user} for a password, if it lets {user} in at all",
            "run this with --ask-sudo-password; or let the user run sudo without one",
        )
    else:
        asks = "asks for a password" if state is Sudo.ASKS else "asks for no password"
        yield ok(f"{user} may use sudo, which {asks}")


def refusal(host: str, error: HostError, *, answered: bool) -> Finding:
    """Return the finding that a host could not be asked; `answered` says that it was before."""
    check = "answers"
    if isinstance(error, HostKeyError):
        check = "host key"
    elif isinstance(error, HostDeniedError):
        check = "sudo" if answered else "login"
    elif isinstance(error, HostUnreachableError) and not answered:
        check = "reachable"
    return Finding(
        host=host,
        check=check,
        severity=Severity.ERROR,
        meaning=error.message.removeprefix(f"{host}: "),
        fix=error.fix,
    )


ACCESS = (Check(name="sudo", reads=(SUDO,), judge=_sudo),)
