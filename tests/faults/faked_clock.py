"""A clock that lies to one farm's own code; that of the machine is right, and stays so.

Debian's libfaketime cannot do this: under 0.9.10 `time.sleep` of Python 3.11 fails with EINVAL,
for it waits until a moment of the clock that only counts. So `time.time_ns` lies, which is all
that the farm reads. `time.time` does not: gRPC subtracts it from moments that its C core reads.
"""

from pathlib import Path
from typing import Final

from stand_ins import stand_in

_STAND_IN: Final = """
import time
from pathlib import Path

_FILE = Path(__file__).with_name("off-by")
_true_ns = time.time_ns
_seen = [float("-inf"), 0]


def _time_ns():
    if time.monotonic() - _seen[0] > 0.2:
        _seen[:] = time.monotonic(), int(_FILE.read_text()) * 10**9
    return _true_ns() + _seen[1]


time.time_ns = _time_ns
"""


class FakedClock:
    """What processes that are started with `environment` take the time to be.

    They notice within a second that it was set. Clocks that only count are left alone.
    """

    def __init__(self, folder: Path, *, off_by_s: int) -> None:
        self._file = folder / "off-by"
        self.set(off_by_s)
        self.environment = stand_in(folder, _STAND_IN)

    def set(self, off_by_s: int) -> None:
        """Be so many seconds off the right time, behind it if negative."""
        new = self._file.with_suffix(".new")
        new.write_text(str(off_by_s))
        new.replace(self._file)
