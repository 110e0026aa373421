"""A quantity over time, as lines of text."""

import math
from functools import partial

from farm_readings import BEGINS, SECOND
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tui.readings import quantities
from tui.readings.scales import around, from_zero
from tui.widgets.plot import Quantity, Series, plotted

_LOAD = Quantity(title="load", tell=quantities.fraction, scale=from_zero)
_ANY = st.none() | st.floats(allow_nan=True, allow_infinity=True)


def _series(*values: float | None, step_s: int = 1) -> Series:
    moments = [BEGINS + at * step_s * SECOND for at in range(len(values))]
    return Series(unix_ns=moments, values=values)


def _text(series: Series, *, width: int = 30, height: int = 6, span_s: float = 60) -> list[str]:
    lines = plotted(_LOAD, series, span_s, size=(width, height), ascii_only=True)
    return [label + text for _, label, text in lines]


def test_before_the_first_sample_it_says_so() -> None:
    assert _text(Series()) == ["load: waiting for the first sample"]


def test_what_nobody_tells_is_not_drawn_as_nothing() -> None:
    assert _text(_series(None, None, math.nan)) == ["load: nothing known"]


def test_title_axes_and_the_line_itself() -> None:
    lines = _text(_series(0.0, 0.5, 1.0, step_s=30), width=24)
    assert lines[0] == "load 100%  0% to 100%"
    assert [line[:8] for line in lines[1:-1]] == ["   100% ", " " * 8, " " * 8, "     0% "]
    assert lines[-1] == "        -1 min       now"
    drawn = [line[8:] for line in lines[1:-1]]
    assert drawn[0][-1] != " "
    assert drawn[-1][0] != " "


def test_only_the_span_is_shown() -> None:
    lines = _text(_series(1.0, 0.2, 0.3, step_s=60), span_s=60)
    assert lines[0] == "load 30%  20% to 30%"


def test_the_line_has_a_gap_where_nothing_was_known() -> None:
    moments = [BEGINS, BEGINS + SECOND, BEGINS + 119 * SECOND, BEGINS + 120 * SECOND]
    lines = _text(Series(unix_ns=moments, values=(1.0, 1.0, 1.0, 1.0)), span_s=120, width=28)
    assert lines[1][8:].strip(" ").count(" ") > 10


@settings(deadline=None)
@given(st.lists(_ANY, max_size=30), st.integers(0, 60), st.integers(0, 20), st.booleans())
@example([5e-324], 20, 6, False)
@example([1.7e308, -1.7e308], 20, 6, False)
def test_any_values_at_any_size_are_drawn_as_wide_as_the_plot(
    values: list[float | None], width: int, height: int, ascii_only: bool
) -> None:
    for quantity in (
        _LOAD,
        Quantity(title="t", tell=quantities.celsius, scale=partial(around, least=20.0)),
    ):
        lines = plotted(quantity, _series(*values), 60, size=(width, height), ascii_only=ascii_only)
        assert len(lines) <= max(height, 1)
        assert all(len(label + text) == width for kind, label, text in lines if kind == "line")


@settings(deadline=None)
@given(st.lists(st.floats(0, 1e12), min_size=1), st.floats(0, 1e3))
def test_no_value_lies_beyond_an_axis_from_zero(values: list[float], least: float) -> None:
    scale = from_zero(values, least=least)
    assert scale.low == 0
    assert scale.high >= max(*values, least)
    assert all(0 <= scale.place(value) <= 1 for value in values)


@settings(deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1))
def test_an_axis_around_values_is_never_short(values: list[float]) -> None:
    scale = around(values, least=20.0)
    assert scale.high - scale.low >= 20
    assert all(0 <= scale.place(value) <= 1 for value in values)
