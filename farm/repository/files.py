"""Reading a repository's files without ever leaving it.

ONNX Runtime follows a hard link out of a model's folder, so what it is given is checked
here: a file is read only if it is regular, has one name, and is reached without a symbolic
link. The check is made on the open file, so a swap between check and read changes nothing.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from farm.core.errors import ModelUnavailableError
from farm.repository.names import shown

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
# A FIFO that takes a regular file's place at the last moment must not block the open.
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK


@contextmanager
def open_regular(root: Path, path: str) -> Iterator[BinaryIO]:
    """Open the file at `path`, relative to `root` with `/` between its parts.

    Raises:
        FileNotFoundError: there is no such file.
        ModelUnavailableError: it is not a regular file, has a second hard link, or cannot
            be read without following a symbolic link or without more permissions.
    """
    try:
        descriptor = _open_beneath(root, path)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise unreadable(path, error) from error
    with os.fdopen(descriptor, "rb") as stream:
        _require_regular(path, os.fstat(descriptor))
        yield stream


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What tells one state of a file from another without reading it."""

    device: int
    inode: int
    size_bytes: int
    modified_ns: int
    changed_ns: int


def signature(stream: BinaryIO) -> Signature:
    """Return the signature of an open file."""
    status = os.fstat(stream.fileno())
    return Signature(
        device=status.st_dev,
        inode=status.st_ino,
        size_bytes=status.st_size,
        modified_ns=status.st_mtime_ns,
        changed_ns=status.st_ctime_ns,
    )


def being_written(path: str) -> ModelUnavailableError:
    """Return the error that says that a file changed while it was read."""
    return ModelUnavailableError(
        f"{shown(path)} was being written while it was read; load the model again when the copy"
        " is complete"
    )


def read_bounded(root: Path, path: str, max_bytes: int) -> bytes:
    """Return the content of the file at `path` under `root`.

    Raises:
        FileNotFoundError: there is no such file.
        ModelUnavailableError: as `open_regular`, and if it is larger than `max_bytes`.
    """
    try:
        with open_regular(root, path) as stream:
            data = stream.read(max_bytes + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise unreadable(path, error) from error
    if len(data) > max_bytes:
        raise ModelUnavailableError(
            f"{shown(path)} is larger than {max_bytes} bytes; make it smaller"
        )
    return data


def visible_files(root: Path, folder: str) -> Iterator[str]:
    """Yield the paths, relative to `folder`, of whatever under it is not a folder.

    Names with a dot in front are left out.

    Raises:
        ModelUnavailableError: a folder cannot be read, or a symbolic link lies in one.
    """
    pending = [""]
    while pending:
        inner = pending.pop()
        try:
            with os.scandir(root / folder / inner) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    path = f"{inner}/{entry.name}" if inner else entry.name
                    if entry.is_symlink():
                        raise _symbolic_link(f"{folder}/{path}")
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(path)
                    else:
                        yield path
        except OSError as error:
            raise unreadable(f"{folder}/{inner}".rstrip("/"), error) from error


def refuse_link(root: Path, folder: str) -> None:
    """Check that `folder`, relative to `root`, is not a symbolic link.

    Raises:
        ModelUnavailableError: it is one.
    """
    if (root / folder).is_symlink():
        raise _symbolic_link(folder)


def unreadable(path: str, error: OSError) -> ModelUnavailableError:
    """Return the error that says why `path`, relative to the repository, cannot be read."""
    return ModelUnavailableError(
        f"{shown(path)} cannot be read ({error.strerror or type(error).__name__}); check that"
        " it exists and that the gateway's user may read it"
    )


def _open_beneath(root: Path, path: str) -> int:
    """Return a descriptor of `path`, opened part by part so that no part is a link."""
    *folders, name = path.split("/")
    here = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in folders:
            inner = os.open(part, _FOLDER, dir_fd=here)
            os.close(here)
            here = inner
        # Opening a device or a pipe can have effects, so it is looked at first.
        _require_regular(path, os.stat(name, dir_fd=here, follow_symlinks=False))
        return os.open(name, _FILE, dir_fd=here)
    finally:
        os.close(here)


def _require_regular(path: str, status: os.stat_result) -> None:
    if stat.S_ISLNK(status.st_mode):
        raise _symbolic_link(path)
    if stat.S_ISDIR(status.st_mode):
        raise ModelUnavailableError(f"{shown(path)} is a folder; put a file in its place")
    if not stat.S_ISREG(status.st_mode):
        raise ModelUnavailableError(
            f"{shown(path)} is a pipe, socket or device; put a regular file in its place"
        )
    if status.st_nlink != 1:
        raise ModelUnavailableError(
            f"{shown(path)} has {status.st_nlink} hard links, so it can be changed from outside"
            " the repository; put a copy of the file in its place"
        )


def _symbolic_link(path: str) -> ModelUnavailableError:
    return ModelUnavailableError(
        f"{shown(path)} is a symbolic link, which can lead out of the repository; put a copy of"
        " what it points to in its place"
    )
