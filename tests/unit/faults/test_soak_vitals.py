"""What a soak tells of memory: growth after the warm-up, and nothing of single moments."""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from soak_vitals import Course, Vitals, growth


@settings(deadline=None)
@given(st.integers(6, 200), st.floats(1.0, 1e9))
def test_what_stays_does_not_grow(count: int, value: float) -> None:
    assert growth([value] * count) == 1.0


def test_a_warm_up_is_left_out() -> None:
    assert growth([1.0] * 10 + [5.0] * 50) == 1.0


def test_a_single_moment_is_left_out() -> None:
    values = [2.0] * 60
    values[15] = values[-1] = 50.0
    assert growth(values) == 1.0


def test_what_leaks_grows() -> None:
    assert growth([100.0 + number for number in range(60)]) > 1.2


def test_too_few_values_are_refused() -> None:
    with pytest.raises(ValueError, match="6 values are needed, not 5"):
        growth([1.0] * 5)


def test_a_course_holds_what_a_process_holds() -> None:
    course = Course("this process")
    course.take(os.getpid())
    (first,) = course.vitals
    assert min(first.own_bytes, first.descriptors, first.threads) > 0
    assert str(course) == f"this process: {first}"
    both = Vitals.of([os.getpid(), os.getpid()])
    assert both.threads >= 2 * first.threads
