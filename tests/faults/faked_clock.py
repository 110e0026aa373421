"""A clock that lies to the processes of one farm, through libfaketime; the machine's is right."""

from pathlib import Path

import pytest


class FakedClock:
    """What the processes that are started with `environment` take the time to be.

    Clocks that only count, by which processes wait, are left alone.
    """

    def __init__(self, folder: Path, *, off_by_s: int) -> None:
        self._file = folder / "off-by"
        self.set(off_by_s)
        self.environment = {
            "LD_PRELOAD": str(_library()),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            # They look for a new time at most this late, in seconds.
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def set(self, off_by_s: int) -> None:
        """Be so many seconds off the right time, behind it if negative."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{off_by_s:+d}\n")
        new.replace(self._file)


def _library() -> Path:
    for folder in Path("/usr/lib").glob("*-linux-gnu/faketime"):
        if (folder / "libfaketimeMT.so.1").exists():
            return folder / "libfaketimeMT.so.1"
    pytest.skip("libfaketime is missing; apt-get install faketime")
