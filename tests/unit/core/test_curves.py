"""Latency curves: measured points, joined by lines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.core.models import LatencyCurve

CURVE = LatencyCurve(((2, 0.1), (4, 0.2), (8, 0.3)))


@pytest.mark.parametrize(
    ("rows", "seconds"),
    [
        pytest.param(1, 0.1, id="flat below the first"),
        pytest.param(2, 0.1, id="the first"),
        pytest.param(3, 0.15, id="between"),
        pytest.param(4, 0.2, id="a point"),
        pytest.param(6, 0.25, id="between others"),
        pytest.param(8, 0.3, id="the last"),
        pytest.param(16, 0.5, id="beyond, with the last slope"),
    ],
)
def test_seconds(rows: int, seconds: float) -> None:
    assert CURVE.seconds(rows) == pytest.approx(seconds)


@pytest.mark.parametrize(("rows", "seconds"), [(1, 0.1), (2, 0.1), (6, 0.3)])
def test_a_single_point_is_scaled_by_rows(rows: int, seconds: float) -> None:
    assert LatencyCurve(((2, 0.1),)).seconds(rows) == pytest.approx(seconds)


def test_a_falling_curve_never_promises_less_than_its_first_point() -> None:
    falling = LatencyCurve(((2, 0.2), (4, 0.1)))
    assert [falling.seconds(rows) for rows in (1, 2, 100)] == [0.2, 0.2, 0.2]


@given(
    steps=st.lists(st.tuples(st.integers(1, 8), st.floats(0.0, 1.0)), min_size=1, max_size=6),
    rows=st.integers(1, 64),
)
def test_more_rows_never_take_less_where_the_points_rise(
    steps: list[tuple[int, float]], rows: int
) -> None:
    points, at, seconds = [], 0, 0.001
    for more_rows, more_seconds in steps:
        at, seconds = at + more_rows, seconds + more_seconds
        points.append((at, seconds))
    curve = LatencyCurve(tuple(points))
    assert 0 < curve.seconds(rows) <= curve.seconds(rows + 1) * (1 + 1e-9)
    for known_rows, known_seconds in points:
        assert curve.seconds(known_rows) == pytest.approx(known_seconds)
