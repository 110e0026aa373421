"""What this process wrote to its standard error, read back: the closest thing to a node's log."""

import os
from pathlib import Path
from typing import Final

# More than a screen shows, and little enough for a heartbeat that waits behind it.
_MOST_BYTES: Final = 64 * 1024


def read_own_log(after: int) -> tuple[int, str]:
    """Return what was written since a position, and the new position; at most its last 64 KiB.

    Position 0 is the beginning. Where standard error is no file, as on a terminal, there is
    nothing to read; where the file was cut since, it is read from its beginning.
    """
    try:
        file = Path("/proc/self/fd/2").readlink()
        if not file.is_file():
            return 0, ""
        with file.open("rb") as log:
            end = log.seek(0, os.SEEK_END)
            begin = max(after if after <= end else 0, end - _MOST_BYTES)
            log.seek(begin)
            return end, log.read(end - begin).decode(errors="replace")
    except OSError:
        return 0, ""
