"""What boards are modelled to draw, and how they are named."""

import pytest

from farm.core.energy import Band, EnergySource
from farm.energy.boards import Board, board, boards, power_model
from farm.energy.meters import ACCURACY, accuracy


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("rpi5", "rpi5"),
        ("rpi5-8gb", "rpi5"),
        ("rpi-zero2w", "rpi-zero2w"),
        ("rpi-zero2w-512mb", "rpi-zero2w"),
        ("rpi3b+", "rpi3b+"),
        ("Raspberry Pi 5 Model B Rev 1.0", "rpi5"),
        ("Raspberry Pi 4 Model B Rev 1.5", "rpi4b"),
        ("Raspberry Pi 3 Model B Plus Rev 1.3", "rpi3b+"),
        ("Raspberry Pi Zero 2 W Rev 1.0", "rpi-zero2w"),
        ("Raspberry Pi Compute Module 4 Rev 1.0", "rpi-cm4"),
        ("Raspberry Pi Compute Module 5 Lite Rev 1.0", "rpi-cm5"),
    ],
)
def test_a_board_is_known_by_its_id_and_by_its_firmwares_name(name: str, expected: str) -> None:
    found = board(name)
    assert found is not None
    assert found.id == expected


@pytest.mark.parametrize(
    "name",
    [
        "",
        "x86_64",
        "aarch64",
        "rpi5-",
        "rpi5-fast",
        "rpi55",
        "RPI5",
        "Raspberry Pi",
        "Raspberry Pi 3 Model B Rev 1.2",
        "Raspberry Pi Compute Module 4S Rev 1.0",
        "Raspberry Pi 500 Rev 1.0",
    ],
)
def test_a_board_of_which_nobody_published_anything_is_none_of_them(name: str) -> None:
    assert board(name) is None


@pytest.mark.parametrize("known", boards().values(), ids=str)
def test_a_range_spans_all_sources_and_a_factor_of_two(known: Board) -> None:
    model = power_model(known, cores=known.cores)
    assert model.source is EnergySource.MODELLED
    for band, figures in ((model.idle, known.idle), (model.load, known.load)):
        assert band.typical == figures[0].watts
        assert all(band.low <= figure.watts <= band.high for figure in figures)
        assert band.high >= 1.999 * band.low
        assert all(figure.source and figure.date for figure in figures)
    assert model.idle.typical < model.load.low


def test_any_other_machine_is_assumed_by_its_cores() -> None:
    model = power_model(None, cores=2)
    assert model.source is EnergySource.ASSUMED
    assert model.idle == Band(0.74 * 2 / 4, 0.74 * 2, 0.74 * 2 * 4)
    assert model.load == Band(3.5 * 2 / 4, 3.5 * 2, 3.5 * 2 * 4)


def test_what_a_pmic_says_is_corrected() -> None:
    told = accuracy("pmic").joules(50.0, 10.0)
    assert told.typical == pytest.approx(50.0 * 1.1451 + 5.879)
    assert told.low < 50.0 * 1.1451 < told.high


def test_every_meter_says_what_its_band_rests_on() -> None:
    for kind, meter in ACCURACY.items():
        assert 0 < meter.within < 1, kind
        assert meter.basis, kind


def test_a_type_of_meter_that_is_not_known_is_trusted_like_any_other() -> None:
    assert accuracy("later") == accuracy("http")
