"""Why a machine's part of Ray does not run, each with an exit code of its own."""

from enum import IntEnum


class RefusalCode(IntEnum):
    """The exit code of `farm run node` and `farm run head`, as `systemctl status` shows it."""

    NAME = 10
    """The machine's own host name does not resolve."""
    CERTIFICATE = 11
    """Its certificate is missing, unsound, or another machine's."""
    CLOCK = 12
    """Its clock is behind a time that has passed for certain."""
    FOLDER = 13
    """What an earlier run left cannot be removed, or a folder cannot be written or is full."""
    PORT = 14
    """Another program has one of Ray's ports."""
    HEAD = 15
    """The farm's head does not answer, or is another one."""
    START = 16
    """Ray did not start."""
    ENDED = 17
    """One of Ray's processes ended."""
    TABLES = 18
    """The head's tables on disk were damaged, and put aside."""


class RefusalError(Exception):
    """Ray does not run here; the message says why and what to do."""

    def __init__(self, code: RefusalCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
