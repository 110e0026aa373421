"""What a Raspberry Pi's firmware answers."""

import pytest

from farm.core import vcgencmd


@pytest.mark.parametrize(
    ("answer", "flags"),
    [
        ("throttled=0x0\n", 0),
        ("throttled=0x50005\n", 0x50005),
        ("throttled=0xE0008", 0xE0008),
        ("", None),
        ("throttled=", None),
        ("throttled=50005", None),
        ("throttled=0x0 throttled=0x1", None),
        ('error=2 error_msg="Invalid arguments"', None),
        ("VCHI initialization failed", None),
    ],
)
def test_throttle_flags(answer: str, flags: int | None) -> None:
    assert vcgencmd.throttle_flags(answer) == flags


@pytest.mark.parametrize(
    ("answer", "clock_hz"),
    [
        ("frequency(0)=2400023808\n", 2400023808.0),
        ("frequency(48)=600000000", 6e8),
        ("frequency(48)=0", None),
        ("frequency(48)=", None),
        ("", None),
    ],
)
def test_arm_clock(answer: str, clock_hz: float | None) -> None:
    assert vcgencmd.arm_clock_hz(answer) == clock_hz


@pytest.mark.parametrize(
    ("answer", "temperature_c"),
    [("temp=59.3'C\n", 59.3), ("temp=-2.0'C", -2.0), ("temp=", None), ("", None)],
)
def test_temperature(answer: str, temperature_c: float | None) -> None:
    assert vcgencmd.temperature_c(answer) == temperature_c
