"""What a service manager hears of a service."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from farm.systemd import ServiceNotifier


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(5)
        yield listener


@pytest.fixture
def notifier(manager: socket.socket) -> ServiceNotifier:
    return ServiceNotifier({"NOTIFY_SOCKET": manager.getsockname()})


def test_a_service_says_that_it_is_ready_and_what_it_does(
    notifier: ServiceNotifier, manager: socket.socket
) -> None:
    notifier.ready("serving")
    assert manager.recv(4096) == b"READY=1\nSTATUS=serving"
    notifier.stopping("draining")
    assert manager.recv(4096) == b"STOPPING=1\nSTATUS=draining"


def test_a_status_is_told_when_it_changes_and_on_one_line(
    notifier: ServiceNotifier, manager: socket.socket
) -> None:
    notifier.status("waiting\nREADY=1")
    notifier.status("waiting\nREADY=1")
    notifier.alive()
    assert manager.recv(4096) == b"STATUS=waiting READY=1"
    assert manager.recv(4096) == b"WATCHDOG=1"


def test_time_is_asked_for_in_microseconds(
    notifier: ServiceNotifier, manager: socket.socket
) -> None:
    notifier.needs(1.5)
    assert manager.recv(4096) == b"EXTEND_TIMEOUT_USEC=1500000"


def test_a_socket_without_a_file_is_found() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"\0farm-test-{os.getpid()}")
        manager.settimeout(5)
        ServiceNotifier({"NOTIFY_SOCKET": f"@farm-test-{os.getpid()}"}).ready("serving")
        assert manager.recv(4096).startswith(b"READY=1")


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": "/nowhere/at/all"}])
def test_without_a_manager_nothing_is_told(environment: dict[str, str]) -> None:
    ServiceNotifier(environment).ready("serving")


def test_a_manager_that_does_not_read_holds_nobody_up(
    notifier: ServiceNotifier, manager: socket.socket
) -> None:
    for _ in range(2000):
        notifier.alive()
    assert manager.recv(4096) == b"WATCHDOG=1"


@pytest.mark.parametrize(
    ("environment", "feeding_s"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 10.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 10.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_is_fed_three_times_within_its_interval(
    environment: dict[str, str], feeding_s: float | None
) -> None:
    assert ServiceNotifier(environment).feeding_s == feeding_s
