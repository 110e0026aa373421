"""A program that passes Ethernet frames between two TAP interfaces, each after the same time.

`delaying_relay.py FIRST SECOND DELAY_S` makes both interfaces, says `ready` and relays until its
standard input ends. They are gone with it, however it ends. It is a program of its own so that
a busy test does not delay packets by more than they should be.
"""

import fcntl
import os
import selectors
import struct
import sys
import time
from collections import deque
from contextlib import suppress
from typing import Final

# <linux/if_tun.h>
_TUNSETIFF: Final = 0x400454CA
_IFF_TAP: Final = 0x0002
_IFF_NO_PI: Final = 0x1000
_LONGEST_FRAME_BYTES: Final = 65_536


def open_tap(name: str) -> int:
    """Make a TAP interface and return the file whose frames are those of its wire."""
    tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tap, _TUNSETIFF, struct.pack("16sH", name.encode(), _IFF_TAP | _IFF_NO_PI))
    return tap


def relay(first: int, second: int, delay_s: float) -> None:
    """Pass frames between two files, in order and `delay_s` late, until standard input ends."""
    # When each is due, where to, and the frame.
    under_way: deque[tuple[float, int, bytes]] = deque()
    others = {first: second, second: first}
    with selectors.DefaultSelector() as selector:
        for readable in (first, second, sys.stdin.fileno()):
            selector.register(readable, selectors.EVENT_READ)
        while True:
            wait_s = max(under_way[0][0] - time.monotonic(), 0.0) if under_way else None
            for key, _ in selector.select(wait_s):
                if key.fd not in others:
                    return
                with suppress(BlockingIOError):
                    while frame := os.read(key.fd, _LONGEST_FRAME_BYTES):
                        under_way.append((time.monotonic() + delay_s, others[key.fd], frame))
            while under_way and under_way[0][0] <= time.monotonic():
                _, tap, frame = under_way.popleft()
                # A wire loses what an interface that is not up yet cannot take.
                with suppress(OSError):
                    os.write(tap, frame)


def main() -> None:
    first, second, delay_s = sys.argv[1:]
    taps = open_tap(first), open_tap(second)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    relay(*taps, float(delay_s))


if __name__ == "__main__":
    main()
