"""A board's seconds are brought to those of one kind of core."""

import pytest

from farm.core.energy import EnergySource
from farm.energy.boards import boards
from farm.energy.cores import core_of


def test_every_known_board_has_a_core() -> None:
    for board in boards():
        assert core_of(board).basis is EnergySource.MODELLED


@pytest.mark.parametrize("name", ["rpi4b", "rpi4b-8gb", "Raspberry Pi 4 Model B Rev 1.5"])
def test_a_board_is_known_by_its_id_and_by_its_firmwares_name(name: str) -> None:
    # ncnn: MobileNetV2 93.5 ms against 16.4, SqueezeNet 74.0 against 11.9, ResNet-50 534 against
    # 89.4, each in fp32 on one thread.
    mean = (93.5 / 16.4 * 74.0 / 11.9 * 534 / 89.4) ** (1 / 3)
    assert core_of(name).relative_time == pytest.approx(mean, rel=1e-3)
    assert core_of(name).reference_s(5.96) == pytest.approx(1.0)


def test_an_unknown_machine_is_taken_as_the_reference_and_says_so() -> None:
    core = core_of("some server")
    assert core.reference_s(2.0) == 2.0
    assert core.basis is EnergySource.ASSUMED
    assert "nobody timed it" in core.note
