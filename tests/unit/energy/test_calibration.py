"""A board's line through what a meter told, and what is refused to be one."""

from dataclasses import replace
from math import inf, nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.core.energy import EnergySource
from farm.core.errors import ConfigurationError
from farm.core.nodes import NodeVitals
from farm.energy.calibration import (
    LOADS,
    Calibration,
    CalibrationPoint,
    Tally,
    board_key,
    fitted,
)


def point(load: float, watts: float, *, speed: float = 1.0) -> CalibrationPoint:
    return CalibrationPoint(
        load=load, utilisation=load, speed=speed, watts=watts, spread_w=0.1, seconds=20.0
    )


def fit(*points: CalibrationPoint, meter: str = "hwmon") -> Calibration:
    return fitted(points, board="rpi5", host="pi-1", meter=meter, measured_unix_ns=1)


@settings(deadline=None)
@given(
    st.floats(0.1, 50),
    st.floats(0.1, 200),
    st.lists(st.floats(0.3, 1), min_size=5, max_size=5),
)
def test_a_board_that_is_linear_in_load_and_clock_is_found(
    idle_w: float, above_w: float, speeds: list[float]
) -> None:
    # Whatever the clock does, cores that are all busy at full clock are on the line.
    speeds[-1] = 1.0
    found = fit(
        *(
            point(load, idle_w + above_w * load * speed, speed=speed)
            for load, speed in zip(LOADS, speeds, strict=True)
        )
    )
    assert found.idle_w == pytest.approx(idle_w, rel=1e-6)
    assert found.load_w == pytest.approx(idle_w + above_w, rel=1e-6)
    assert found.rmse_w == pytest.approx(0.0, abs=1e-6 * above_w)


@settings(deadline=None)
@given(st.lists(st.floats(-0.3, 0.3), min_size=5, max_size=5))
def test_the_band_holds_the_lines_error_and_the_meters(noise: list[float]) -> None:
    found = fit(*(point(load, 3.0 + 6.0 * load + e) for load, e in zip(LOADS, noise, strict=True)))
    model = found.power
    assert model.source is EnergySource.MODELLED
    for band, watts, error_w in (
        (model.idle, found.idle_w, found.idle_error_w),
        (model.load, found.load_w, found.load_error_w),
    ):
        assert error_w >= 2 * found.rmse_w
        assert band.typical == watts
        assert band.low == pytest.approx(0.97 * max(watts - error_w, 0.0))
        assert band.high == pytest.approx(1.03 * (watts + error_w))


def test_what_is_far_from_the_points_is_known_worse() -> None:
    loads = (0.5, 0.6, 0.75, 0.9, 1.0)
    noise = (0.1, -0.1, 0.1, -0.1, 0.1)
    found = fit(*(point(load, 3.0 + 6.0 * load + e) for load, e in zip(loads, noise, strict=True)))
    assert found.idle_error_w > 1.3 * found.load_error_w > 2 * found.rmse_w


def test_two_standard_errors_are_as_in_the_books() -> None:
    """Worked out by hand for 1, 2, 2, 3, 4 W at loads of 0, 1/4, 1/2, 3/4 and 1."""
    found = fit(*(point(load, w) for load, w in zip(LOADS, (1, 2, 2, 3, 4), strict=True)))
    assert found.idle_w == pytest.approx(1.0)
    assert found.load_w == pytest.approx(3.8)
    assert found.rmse_w == pytest.approx((0.3 / 5) ** 0.5)
    assert found.idle_error_w == pytest.approx(2 * (0.3 / 3 * (1 + 1 / 5 + 0.25 / 0.625)) ** 0.5)


def test_a_coarser_meter_makes_a_wider_band() -> None:
    points = [point(load, 3.0 + 6.0 * load) for load in LOADS]
    fine, coarse = fit(*points, meter="hwmon").power, fit(*points, meter="pmic").power
    assert fine.idle.typical == coarse.idle.typical
    assert coarse.load.low < fine.load.low < fine.load.high < coarse.load.high


LINE = [point(load, 3.0 + 6.0 * load) for load in LOADS]


@pytest.mark.parametrize(
    ("points", "why"),
    [
        pytest.param(LINE[:2], "2 points make no calibration", id="too few"),
        pytest.param([], "0 points make no calibration", id="none"),
        pytest.param(LINE[:2] + LINE[:1], "too little to tell", id="too close together"),
        pytest.param(
            [replace(p, utilisation=0.98) for p in LINE], "something else run there", id="busy"
        ),
        pytest.param([replace(p, watts=12.0 - p.watts) for p in LINE], "do not rise", id="falling"),
        pytest.param([replace(p, watts=5.0) for p in LINE], "do not rise", id="flat"),
        pytest.param(
            [replace(p, watts=p.watts - 3.0 - 0.1 * (p.load == 0.25)) for p in LINE],
            "do not rise",
            id="idle for nothing",
        ),
        pytest.param(
            [replace(p, watts=w) for p, w in zip(LINE, (3.0, 9.0, 3.0, 9.0, 9.0), strict=True)],
            "do not follow",
            id="another machine's meter",
        ),
        pytest.param([*LINE[:4], replace(LINE[4], watts=-1.0)], "no host draws", id="negative"),
        pytest.param([*LINE[:4], replace(LINE[4], watts=nan)], "no host draws", id="nan"),
        pytest.param([*LINE[:4], replace(LINE[4], watts=inf)], "no host draws", id="infinite"),
    ],
)
def test_nonsense_is_refused_in_words(points: list[CalibrationPoint], why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        fit(*points)


@pytest.mark.parametrize(
    ("board", "expected"),
    [
        ("Raspberry Pi 5 Model B Rev 1.0", "rpi5"),
        ("rpi5-8gb", "rpi5"),
        ("Radxa ROCK 5B", "Radxa ROCK 5B"),
        ("aarch64", "aarch64 pi-1"),
        ("", "aarch64 pi-1"),
    ],
)
def test_boards_of_one_name_share_a_calibration(board: str, expected: str) -> None:
    assert board_key(board, architecture="aarch64", host="pi-1") == expected


def beat(
    metered_j: float,
    metered_s: float,
    *,
    busy: float = 0.5,
    speed: float = 1.0,
    incarnation: str = "i",
    meter: str = "hwmon",
) -> NodeVitals:
    return NodeVitals(
        incarnation=incarnation, slots_busy=0, cpu_fraction=busy, memory_total_bytes=1,
        memory_available_bytes=1, temperature_c=None, clock_hz=None, batches_total=0, rows_total=0,
        failures_total=0, digests=(), speed=speed, meter=meter, metered_j=metered_j,
        metered_s=metered_s,
    )  # fmt: skip


def test_means_are_weighted_by_the_time_that_the_meter_told_of() -> None:
    tally = Tally(0.5, beat(100.0, 50.0))
    assert tally.add(beat(104.0, 51.0, busy=0.2, speed=0.5))
    assert tally.add(beat(134.0, 54.0, busy=0.6))
    point = tally.point
    assert point.seconds == 4.0
    assert point.watts == pytest.approx(34.0 / 4)
    assert point.utilisation == pytest.approx((0.2 + 3 * 0.6) / 4)
    assert point.speed == pytest.approx((0.5 + 3) / 4)
    assert point.spread_w == pytest.approx(((4.5**2 + 3 * 1.5**2) / 4) ** 0.5)


def test_a_meter_that_tells_nothing_or_starts_anew_adds_nothing() -> None:
    tally = Tally(0.5, beat(100.0, 50.0))
    assert not tally.add(beat(100.0, 50.0))
    assert not tally.add(beat(1.0, 1.0, incarnation="j"))
    assert tally.add(beat(3.0, 2.0, incarnation="j"))
    assert tally.seconds == 1.0


def test_a_meters_error_is_corrected() -> None:
    tally = Tally(0.5, beat(0.0, 0.0))
    tally.add(beat(20.0, 10.0, meter="pmic"))
    assert tally.point.watts == pytest.approx(2.0 * 1.1451 + 0.5879)
