"""The latest time that a machine has seen, kept on its disk.

A Pi has no clock that runs without power. Before it has asked the network it may believe
in 1970, when no certificate was valid; it cannot be earlier than it has been.
"""

from pathlib import Path

from farm.core.private_files import PUBLIC, replace_file

_FILENAME = "time-floor"

# How often it is written, in seconds: an SD card wears out.
ADVANCE_EVERY_S = 1800.0


class TimeFloor:
    """The time floor in a folder, in whole seconds since 1970."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / _FILENAME

    def read(self) -> int:
        """Return the floor, 0 where none is known."""
        try:
            return int(self.file.read_text(encoding="ascii"))
        except (OSError, ValueError):
            return 0

    def advance(self, now_s: float) -> None:
        """Keep a later time.

        Raises:
            ConfigurationError: the file cannot be written.
        """
        if int(now_s) > self.read():
            replace_file(self.file, b"%d\n" % int(now_s), mode=PUBLIC)
