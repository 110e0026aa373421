"""What the services of a host are made to believe: which time it is, and what its cores could do.

One kernel runs all hosts, so a clock of their own is preloaded into every unit of the farm. It is
not libfaketime's, under which Ray does not start: Python's sleeps fail there.
"""

import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from lab import Host, disguises
from lab.boards import BOARDS
from lab.execution import run
from lab.furnishing import STAND_IN

_SOURCE: Final = Path(disguises.__file__).with_name("wrong_clock.c")
_DROP_IN: Final = "/etc/systemd/system/farm-.service.d/disguise.conf"
_CLOCK: Final = f"/{STAND_IN}/clock"
_PRELOADED: Final = f"/{STAND_IN}/wrong_clock.so"
_CORES: Final = f"/{STAND_IN}/cpufreq"
_KERNELS_CORES: Final = "/sys/devices/system/cpu/cpufreq"


@contextmanager
def disguised(host: Host) -> Iterator["DisguisedUnits"]:
    """Disguise what a host's services are started in, from its next boot to the one after it."""
    units = DisguisedUnits(host)
    units.put_on()
    try:
        yield units
    finally:
        units.take_off()


class DisguisedUnits:
    """The services of one host. Their clock is right until it is set."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def put_on(self) -> None:
        host = self._host
        hertz = BOARDS[host.spec.board].clock_hz
        for name in ("cpuinfo_max_freq", "scaling_max_freq", "scaling_cur_freq"):
            host.write(f"{_CORES}/policy0/{name}", f"{hertz // 1000}\n")
        host.write(_CLOCK, _seconds(0))
        library = host.disk.root / _PRELOADED.lstrip("/")
        run("cc", "-O2", "-shared", "-fPIC", "-o", library, _SOURCE)
        host.write(
            _DROP_IN,
            "[Service]\n"
            f"Environment=LD_PRELOAD={_PRELOADED} WRONG_CLOCK={_CLOCK}\n"
            f"BindReadOnlyPaths={_CORES}:{_KERNELS_CORES}\n",
        )

    def take_off(self) -> None:
        """Let the next start be without. What runs believes the truth."""
        self.set_clock(0)
        self._host.shell(
            f"rm {_DROP_IN}; systemctl daemon-reload; rm -r {_CLOCK} {_CORES} {_PRELOADED}"
        )

    def set_clock(self, ahead_s: int) -> None:
        """Let the clock jump to so many seconds before or after the true time."""
        # In place: the services have the file mapped.
        with (self._host.disk.root / _CLOCK.lstrip("/")).open("r+b") as file:
            file.write(_seconds(ahead_s))

    def set_clock_1970(self) -> None:
        """Let the clock be where that of a Pi is which has not asked the network yet."""
        self.set_clock(-int(time.time()))


def _seconds(ahead_s: int) -> bytes:
    return struct.pack("=q", ahead_s)


@contextmanager
def logins_in_1970(host: Host) -> Iterator[None]:
    """Let who logs in find a clock in 1970, as the services do."""
    host.set_clock_1970()
    try:
        yield
    finally:
        paths = " ".join(file.path for file in disguises.clock_in_1970(0))
        host.shell(f"rm {paths}; systemctl restart ssh")
