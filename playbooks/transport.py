"""How commands reach a host, and what can go wrong on the way."""

from typing import Protocol

from farm.core.errors import (
    FarmError,
    IntegrityError,
    PermissionDeniedError,
    UnreachableError,
)
from playbooks.commands import Put, Result, Run


class HostError(FarmError):
    """A host cannot go on. The message names what and why, `fix` what to do next."""

    def __init__(self, message: str, *, fix: str = "") -> None:
        super().__init__(message)
        self.fix = fix


class HostUnreachableError(HostError, UnreachableError):
    """Nothing answers at the host's address, or the connection was lost."""

    code = UnreachableError.code


class HostDeniedError(HostError, PermissionDeniedError):
    """The host refuses the key, the user or the sudo password."""

    code = PermissionDeniedError.code


class HostKeyError(HostError, IntegrityError):
    """The host's key is not known, or is another one than the one that is."""

    code = IntegrityError.code


class CommandFailedError(HostError):
    """A command on the host ended otherwise than expected."""


class Transport(Protocol):
    """One host's connection. Used by one thread at a time; opened by the first call."""

    def run(self, command: Run) -> Result:
        """Run a command and return what became of it, whatever its exit code.

        Raises:
            HostUnreachableError, HostDeniedError, HostKeyError: it could not be run to its end.
            CommandFailedError: it took longer than its `timeout_s`.
        """
        ...

    def put(self, command: Put) -> None:
        """Move a file into place.

        Raises:
            HostUnreachableError, HostDeniedError, HostKeyError: the host could not be reached.
            CommandFailedError: the file could not be written, for example for want of space.
        """
        ...

    def close(self) -> None:
        """End the connection; it opens again with the next call."""
        ...
