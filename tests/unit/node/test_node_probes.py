"""What this machine tells of itself."""

import pytest

from farm.node import probes


def test_readings_of_this_machine_are_sane() -> None:
    total, available = probes.memory_bytes()
    assert 0 < available <= total
    assert probes.core_count() >= 1
    assert probes.read_cpu_class()
    assert probes.read_board()


def test_a_reading_that_cannot_be_taken_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes.psutil, "sensors_temperatures", dict)
    monkeypatch.setattr(probes.psutil, "cpu_freq", lambda percpu: [])
    assert probes.temperature_c() is None
    assert probes.clock_hz() is None


def test_a_clock_that_psutil_cannot_find_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*, percpu: bool) -> list[object]:
        raise NotImplementedError("can't find current frequency file")

    monkeypatch.setattr(probes.psutil, "cpu_freq", missing)
    assert probes.clock_hz() is None
