"""Files that a crash or a power cut leaves old or new, never in between."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import Final

from farm.core.errors import ConfigurationError

_LOCK: Final = ".lock"


def write_atomically(path: Path, data: bytes) -> None:
    """Replace a file so that after a crash it is the old one or the new one.

    Where several processes or threads write it, it is what one of them wrote, whole.

    Raises:
        OSError: it cannot be written; the old file is as it was.
    """
    partial = path.with_name(f".{path.name}.{token_hex(4)}.partial")
    try:
        write_durably(partial, data)
        partial.replace(path)
    except OSError:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder last through a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_durably(path: Path, data: bytes) -> None:
    """Write a file, with the folders it lies in, so that it lasts through a power cut.

    Raises:
        OSError: it cannot be written; what is there then is undefined.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep a state folder from other gateways, which would spoil it for this one.

    The kernel releases it when its holder ends, however that is.

    Raises:
        ConfigurationError: another process holds it, or it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigurationError(
            f"the gateway's state folder {folder} cannot be used ({error.strerror}); name another"
            " one with state_dir or FARM_STATE_DIR"
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigurationError(
                f"another gateway uses the state folder {folder}; stop it, or give this one a"
                " folder of its own with state_dir or FARM_STATE_DIR"
            ) from error
        yield
    finally:
        os.close(descriptor)
