"""The operator's cache of what is pushed to hosts: whole files, written by one at a time."""

import errno
import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TextIO

from platformdirs import user_cache_path

from farm.core.errors import ConfigurationError

_MOMENT_S: Final = 0.01
_NOT_WRITABLE: Final = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM),
    *(errno.ENOTDIR, errno.EEXIST),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedFile:
    """A file on the operator's machine that hosts get."""

    name: str
    sha256: str
    size: int
    path: Path = field(repr=False)

    @staticmethod
    def of(path: Path, sha256: str) -> "CachedFile":
        """Describe a file whose digest is known."""
        return CachedFile(name=path.name, sha256=sha256, size=path.stat().st_size, path=path)


def sha256_of(path: Path) -> str:
    """Return the digest of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def cache_folder(environment: Mapping[str, str]) -> Path:
    """Return where the cache is: what the environment names, or the user's."""
    given = environment.get("FARM_CACHE")
    return Path(given) if given else user_cache_path("bramble-farm")


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Make a folder of the cache, and say what to do where it cannot be written.

    Raises:
        ConfigurationError: there is no space, or no permission.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        if error.errno not in _NOT_WRITABLE:
            raise
        raise ConfigurationError(
            f"the cache {folder} cannot be written: {error.strerror}; free some space there, or "
            "set FARM_CACHE to a folder that has some"
        ) from error


@contextmanager
def staging(folder: Path, waiting: Callable[[], None]) -> Iterator[Path]:
    """Yield an empty folder on the disk of `folder`, which no other process or thread has.

    What is complete is moved from there into `folder`. `waiting` is called where another
    process has to end first; threads of one wait for each other in silence. What a process
    that was killed left behind is removed.
    """
    with (folder / ".lock").open("a+") as lock:
        _take(lock, waiting)
        empty = folder / ".staging"
        shutil.rmtree(empty, ignore_errors=True)
        empty.mkdir()
        try:
            yield empty
        finally:
            shutil.rmtree(empty, ignore_errors=True)
            lock.truncate(0)


def _take(lock: TextIO, waiting: Callable[[], None]) -> None:
    """Lock a file that says which process has it, for as long as one has."""
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read()
        if not holder:
            # It has the lock since just now, or is about to let go.
            time.sleep(_MOMENT_S)
            continue
        if holder != str(os.getpid()):
            waiting()
        fcntl.flock(lock, fcntl.LOCK_EX)
        break
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
