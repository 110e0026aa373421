"""The disk of a host: an overlay of the image, written to a small file system of its own."""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lab.execution import run

_PIECE_BYTES: Final = 1024
_WRITTEN_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """Lives in `folder`; `root` is the host's tree while it is mounted.

    What the host writes goes to a sparse file with ext4 in it. A full disk is therefore real,
    and hurts nobody else. Root has no reserve, so that it is full for root too.
    """

    folder: Path
    size_mb: int

    @property
    def root(self) -> Path:
        return self.folder / "root"

    @property
    def _writable(self) -> Path:
        return self.folder / "disk"

    @property
    def _file(self) -> Path:
        return self.folder / "disk.ext4"

    def make(self, image: Path) -> None:
        """Make the disk with nothing but the image on it, and mount it."""
        self.folder.mkdir(parents=True)
        self.root.mkdir()
        self._writable.mkdir()
        with self._file.open("wb") as file:
            file.truncate(self.size_mb * 1024 * 1024)
        # Nothing survives this machine, so nothing is gained by a journal.
        run("mkfs.ext4", "-q", "-m", "0", "-O", "^has_journal", self._file)
        run("mount", "-o", "loop,noatime", self._file, self._writable)
        (self._writable / "upper").mkdir()
        (self._writable / "work").mkdir()
        self._cover(image)

    def wear_out(self) -> None:
        """Take nothing more from now on: the kernel makes it read-only, as after a fault of it."""
        run("mount", "-o", "remount,abort", self._writable)

    def mend(self, image: Path) -> None:
        """Put what it holds on a sound one, checked as at a boot; its host is off."""
        run("umount", self.root)
        run("umount", self._writable)
        # The kernel goes on to see the failed one while another host's mounts have it.
        sound = self._file.with_suffix(".new")
        run("cp", "--sparse=always", self._file, sound)
        # Exit code 1 says that there was something to mend.
        run("sh", "-c", 'e2fsck -f -y "$1" || test $? -eq 1', "sh", sound)
        sound.replace(self._file)
        run("mount", "-o", "loop,noatime", self._file, self._writable)
        # That it was removed may never have been written.
        self.free()
        self._cover(image)

    def _cover(self, image: Path) -> None:
        """Lay the disk over the image."""
        layers = f"lowerdir={image},upperdir={self._writable}/upper"
        run("mount", "-t", "overlay", "-o", f"{layers},workdir={self._writable}/work",
            "overlay", self.root)  # fmt: skip

    @property
    def free_bytes(self) -> int:
        state = os.statvfs(self._writable)
        return state.f_bavail * state.f_frsize

    def fill(self, leave_bytes: int) -> None:
        """Take all room but `leave_bytes`, where the host does not see by what."""
        self.free()
        with self._ballast.open("wb", buffering=0) as ballast, suppress(OSError):
            # Where so much lies is written down on the same disk, so the last blocks are written.
            taken = self.free_bytes - leave_bytes - _WRITTEN_BYTES
            if taken > 0:
                os.posix_fallocate(ballast.fileno(), 0, taken)
                ballast.seek(taken)
            while self.free_bytes > leave_bytes:
                ballast.write(bytes(_PIECE_BYTES))
                os.fsync(ballast.fileno())

    def free(self) -> None:
        """Give back what `fill` took."""
        self._ballast.unlink(missing_ok=True)

    @property
    def _ballast(self) -> Path:
        return self._writable / "ballast"


def unmount_below(folder: Path) -> None:
    """Unmount everything that is mounted in a folder, the innermost first."""
    mounted = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for point in reversed(mounted):
        if Path(point).is_relative_to(folder):
            run("umount", point)
