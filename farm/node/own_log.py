"""What this process wrote to its standard error, read back: the closest thing to a node's log."""

import os
from pathlib import Path
from typing import Final

_STANDARD_ERROR: Final = Path("/proc/self/fd/2")
# More than a screen shows, and little enough for a heartbeat that waits behind it.
_MOST_BYTES: Final = 64 * 1024
# A position is an offset of so many bits, and above it the number of the process whose log it is:
# of one that took its place all is new.
_OFFSET_BITS: Final = 40


def read_own_log(after: int) -> tuple[int, str]:
    """Return the lines that were written since a position, and the new one.

    They are whole lines, the last 64 KiB of them at most; how much was left out since `after` is
    told before them. Position 0 is the beginning. Where standard error is no file, as on a
    terminal, there is nothing to read; where the file was cut since, it is read anew.
    """
    try:
        file = _STANDARD_ERROR.readlink()
        if not file.is_file():
            return 0, ""
        with file.open("rb") as log:
            end = log.seek(0, os.SEEK_END)
            process, known = divmod(after, 1 << _OFFSET_BITS)
            if process != os.getpid() or known > end:
                known = 0
            begin = max(known, end - _MOST_BYTES)
            log.seek(begin)
            written = log.read(end - begin)
    except OSError:
        return 0, ""
    # What is being written is told once its line has ended, or fills all there is room for.
    length = written.rfind(b"\n") + 1
    if not length and len(written) == _MOST_BYTES:
        length = _MOST_BYTES
    lines = written[:length]
    if begin > known:
        lines = lines[lines.find(b"\n") + 1 :]
        begin += length - len(lines)
    left_out = f"({begin - known} bytes were left out)\n" if begin > known > 0 else ""
    end = begin + len(lines)
    return os.getpid() << _OFFSET_BITS | end, left_out + lines.decode(errors="replace")
