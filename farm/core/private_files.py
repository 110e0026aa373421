"""Files that are replaced whole, and secrets that nobody else can read."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import Final

from farm.core.errors import ConfigurationError

PRIVATE: Final = 0o600
PUBLIC: Final = 0o644


def replace_file(path: Path, content: bytes, *, mode: int = PUBLIC) -> None:
    """Put a file in place, with its folder, so that a crash leaves the old one or the new one.

    It is never readable by more than `mode` says, not even on its way. A folder that has to be
    made is the user's alone.

    Raises:
        ConfigurationError: it cannot be written; the old file is as it was.
    """
    partial = path.with_name(f".{path.name}.{token_hex(4)}.partial")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}") from error


@contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Let nobody else who locks it change a file meanwhile, from its reading to its replacement.

    Raises:
        ConfigurationError: its folder cannot be written, or holds no locks.
        BlockingIOError: somebody else has locked it, and it is not to `wait`.
    """
    lock = path.with_name(f".{path.name}.lock")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = lock.open("ab")
    except OSError as error:
        raise ConfigurationError(f"{lock} cannot be written: {error.strerror}") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise
        except OSError as error:
            raise ConfigurationError(f"{lock} cannot be locked: {error.strerror}") from error
        yield


def read_private(path: Path) -> bytes:
    """Return the content of a file that only its owner may read.

    Raises:
        ConfigurationError: it is not there, cannot be read, or others can read it too.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if mode & 0o077:
                raise ConfigurationError(
                    f"{path} is a secret, and others on this machine can read it; if nobody has,"
                    f" run chmod 600 {path}, else make a new one"
                )
            return file.read()
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error
