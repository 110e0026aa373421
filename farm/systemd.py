"""What a service tells systemd over its notification socket (`sd_notify`, `Type=notify`).

Where nothing listens, as on a terminal, nothing is told.
"""

import os
import socket
from collections.abc import Mapping
from contextlib import suppress

# A watchdog is fed this many times within its interval, so that one slow turn is no death.
_FEEDINGS = 3


class ServiceNotifier:
    """The socket that a service manager listens on, as the environment names it."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        path = environment.get("NOTIFY_SOCKET", "")
        # One in the abstract namespace is written with an @.
        self._address = "\0" + path[1:] if path.startswith("@") else path
        self._told = ""
        self.feeding_s = _feeding_s(environment)

    def ready(self, status: str) -> None:
        """The service does what it is for."""
        self._told = status
        self._send(f"READY=1\nSTATUS={_line(status)}")

    def status(self, status: str) -> None:
        """What `systemctl status` shows; told when it changes."""
        if status != self._told:
            self._told = status
            self._send(f"STATUS={_line(status)}")

    def alive(self) -> None:
        """Feed the watchdog."""
        self._send("WATCHDOG=1")

    def needs(self, seconds: float) -> None:
        """Ask for so many more seconds to start or stop."""
        self._send(f"EXTEND_TIMEOUT_USEC={int(seconds * 1e6)}")

    def stopping(self, status: str) -> None:
        """The service has begun to end."""
        self._told = status
        self._send(f"STOPPING=1\nSTATUS={_line(status)}")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        with (
            suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as manager,
        ):
            # A manager that does not read must not hold its service up.
            manager.setblocking(False)
            manager.sendto(message.encode(), self._address)


def _feeding_s(environment: Mapping[str, str]) -> float | None:
    """Return how often the watchdog wants to be fed, None if none waits for this process."""
    pid = environment.get("WATCHDOG_PID", "")
    try:
        interval_s = int(environment.get("WATCHDOG_USEC", "0")) / 1e6
        another = bool(pid) and int(pid) != os.getpid()
    except ValueError:
        return None
    return None if another or interval_s <= 0 else interval_s / _FEEDINGS


def _line(status: str) -> str:
    return " ".join(status.split())
