"""What a Raspberry Pi's firmware says of its clock, with a stand-in for `vcgencmd`."""

import os
from pathlib import Path

import pytest

from farm.node import probes, throttling
from farm.node.throttling import Throttle, ThrottleProbe

# Answers by what the command is asked; asking is written down.
VCGENCMD = """#!/bin/sh
echo "$@" >> {log}
case "$1" in
    get_throttled) cat {folder}/throttled ;;
    measure_clock) cat {folder}/clock ;;
esac
"""


class Firmware:
    """A `vcgencmd` on the path whose answers tests choose."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._log = folder / "asked"
        path = folder / "vcgencmd"
        path.write_text(VCGENCMD.format(log=self._log, folder=folder))
        path.chmod(0o755)

    def says(self, throttled: str, clock: str = "frequency(0)=1200000000") -> None:
        (self._folder / "throttled").write_text(f"{throttled}\n")
        (self._folder / "clock").write_text(f"{clock}\n")

    @property
    def asked(self) -> list[str]:
        return self._log.read_text().splitlines() if self._log.exists() else []


@pytest.fixture
def firmware(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Firmware:
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(probes, "highest_clock_hz", lambda: 2.4e9)
    monkeypatch.setattr(throttling, "_INTERVAL_S", 0.0)
    return Firmware(tmp_path)


@pytest.mark.parametrize(
    ("clock_hz", "highest_hz", "expected"),
    [(1.2e9, 2.4e9, 0.5), (2.5e9, 2.4e9, 1.0), (None, 2.4e9, 1.0), (1.2e9, None, 1.0)],
)
def test_share(clock_hz: float | None, highest_hz: float | None, expected: float) -> None:
    assert throttling.share(clock_hz, highest_hz) == expected


def test_a_machine_without_the_command_is_told_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert ThrottleProbe().read(busy=True) == Throttle(flags=None, speed=1.0)


def test_a_low_clock_is_idleness_unless_the_flags_say_why(firmware: Firmware) -> None:
    firmware.says("throttled=0x0", "frequency(0)=600000000")
    assert ThrottleProbe().read(busy=True) == Throttle(flags=0, speed=1.0)


@pytest.mark.parametrize("flags", ["0x50000", "0x1", "0x50001"])
def test_what_is_over_or_is_only_the_supply_slows_nothing(firmware: Firmware, flags: str) -> None:
    firmware.says(f"throttled={flags}")
    assert ThrottleProbe().read(busy=True).speed == 1.0


@pytest.mark.parametrize("flags", ["0x2", "0x4", "0x8", "0xe0006"])
def test_a_throttled_board_is_as_slow_as_its_clock(firmware: Firmware, flags: str) -> None:
    firmware.says(f"throttled={flags}")
    assert ThrottleProbe().read(busy=True) == Throttle(flags=int(flags, 16), speed=0.5)


def test_a_throttled_board_at_rest_keeps_the_speed_it_had_under_load(firmware: Firmware) -> None:
    probe = ThrottleProbe()
    firmware.says("throttled=0x4", "frequency(0)=1800000000")
    assert probe.read(busy=False).speed == 1.0
    assert probe.read(busy=True).speed == 0.75
    firmware.says("throttled=0x4", "frequency(0)=600000000")
    assert probe.read(busy=False).speed == 0.75
    firmware.says("throttled=0x0", "frequency(0)=600000000")
    assert probe.read(busy=False) == Throttle(flags=0, speed=1.0)


def test_a_clock_that_waits_for_load_is_read_with_the_first(
    firmware: Firmware, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttling, "_INTERVAL_S", 3600.0)
    firmware.says("throttled=0x4")
    probe = ThrottleProbe()
    speeds = [probe.read(busy=busy).speed for busy in (False, False, True, True, False)]
    assert speeds == [1.0, 1.0, 0.5, 0.5, 0.5]
    assert firmware.asked == ["get_throttled", "get_throttled", "measure_clock arm"]


def test_the_kernels_clock_stands_in_for_one_that_cannot_be_measured(
    firmware: Firmware, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probes, "clock_hz", lambda: 0.6e9)
    firmware.says("throttled=0x4", "not available")
    assert ThrottleProbe().read(busy=True).speed == 0.25


def test_a_command_that_fails_tells_nothing(firmware: Firmware) -> None:
    # The stand-in has no answer to give yet.
    assert ThrottleProbe().read(busy=True) == Throttle(flags=None, speed=1.0)


def test_the_firmware_is_not_asked_at_every_heartbeat(
    firmware: Firmware, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttling, "_INTERVAL_S", 3600.0)
    firmware.says("throttled=0x0")
    probe = ThrottleProbe()
    first = probe.read(busy=True)
    assert [probe.read(busy=True) for _ in range(5)] == [first] * 5
    assert firmware.asked == ["get_throttled"]


def test_a_command_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "vcgencmd"
    path.write_text("#!/bin/sh\nexec sleep 60\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(throttling, "_TIMEOUT_S", 0.05)
    assert ThrottleProbe().read(busy=True).flags is None
