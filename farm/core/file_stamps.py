"""Whether a file is still the one that was read."""

from pathlib import Path
from typing import TypeAlias

FileStamp: TypeAlias = tuple[int, int, int, int, int]


def stamp_of(path: Path) -> FileStamp:
    """Return what is another one once a file's content, owner or mode has been changed.

    Owner and mode count too: a file that could not be read may be readable since.

    Raises:
        OSError: it is not there, or cannot be looked at.
    """
    status = path.stat()
    # The last moment of a change is told in steps of some milliseconds.
    return status.st_ino, status.st_size, status.st_ctime_ns, status.st_mode, status.st_uid
