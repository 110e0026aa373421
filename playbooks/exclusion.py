"""One command at a time changes a farm from this machine."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from farm.contexts import FarmFolder
from farm.core.errors import ConfigurationError, FarmError


class FarmInUseError(FarmError):
    """Another command of this machine is changing the farm."""


@contextmanager
def alone(folder: FarmFolder) -> Iterator[None]:
    """Keep other commands from changing a farm meanwhile; ends with the process in any case.

    Two at once would each make a CA, and take each other's half-made files for their own.

    Raises:
        FarmInUseError: another command is changing it now.
        ConfigurationError: the farm's folder cannot be written.
    """
    file = folder.path / ".changing"
    try:
        folder.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = file.open("w")
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be written: {error.strerror}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FarmInUseError(
                f"another farm command on this machine is changing farm '{folder.path.name}'; run"
                " this again when it has ended"
            ) from None
        yield
