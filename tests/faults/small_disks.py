"""Disks of their own that can be filled, emptied and made read-only while a farm uses them."""

import os
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import pytest

_BALLAST: Final = "ballast"


class SmallDisk:
    """A file system in memory over a folder, for as long as its block lasts. Only root may.

    It goes away even where a process still has a file of it open.
    """

    def __init__(self, folder: Path, *, size_bytes: int) -> None:
        self.folder = folder
        self._size_bytes = size_bytes

    def __enter__(self) -> Self:
        if os.geteuid() != 0:
            pytest.skip("a disk of its own takes root: run this as root")
        self.folder.mkdir(parents=True, exist_ok=True)
        size = f"size={self._size_bytes}"
        done = _run("mount", "-t", "tmpfs", "-o", size, "farm-test", str(self.folder))
        if done.returncode:
            pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _run("umount", "--lazy", str(self.folder))

    def fill(self) -> None:
        """Take all the room that is left."""
        with (self.folder / _BALLAST).open("ab", buffering=0) as file:
            size_bytes = 1 << 16
            while size_bytes:
                try:
                    file.write(bytes(size_bytes))
                except OSError:
                    size_bytes //= 2

    def make_room(self) -> None:
        """Give back what `fill` took."""
        (self.folder / _BALLAST).unlink()

    def allow_writing(self, allowed: bool) -> None:
        """Make it writable, or read-only as a kernel does that mistrusts a disk."""
        mode = "rw" if allowed else "ro"
        done = _run("mount", "-o", f"remount,{mode}", str(self.folder))
        assert not done.returncode, done.stderr


def _run(*command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
