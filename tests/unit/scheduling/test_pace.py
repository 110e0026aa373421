"""What batches really take corrects what was measured, and one odd batch does not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.core.models import LatencyCurve
from farm.scheduling.pace import ENOUGH, WINDOW, Pace

CURVE = LatencyCurve(((1, 0.1), (4, 0.2)))


def pace(curve: LatencyCurve | None = CURVE, *, speed: float = 1.0) -> Pace:
    return Pace(curve, threads=1, overhead_s=0.001, speed=speed)


def feed(subject: Pace, *took: float, rows: int = 1) -> None:
    for compute_s in took:
        subject.observe(rows=rows, compute_s=compute_s, overhead_s=None)


def test_nothing_observed_is_the_curve_as_measured() -> None:
    assert pace().seconds(4) == 0.2
    assert pace().correction == 1.0


def test_a_node_that_is_always_slower_is_predicted_so_for_every_size() -> None:
    subject = pace()
    feed(subject, *[0.15] * ENOUGH)
    assert subject.correction == pytest.approx(1.5)
    assert subject.seconds(1) == pytest.approx(0.15)
    assert subject.seconds(4) == pytest.approx(0.3)


def test_one_batch_says_nothing() -> None:
    subject = pace()
    feed(subject, 9.0)
    assert subject.seconds(1) == 0.1


@given(
    usual=st.floats(0.05, 0.5),
    odd=st.lists(st.floats(0.0, 60.0), max_size=(WINDOW - 1) // 2),
    where=st.randoms(use_true_random=False),
)
def test_outliers_change_nothing(usual: float, odd: list[float], where: object) -> None:
    took = [usual] * (WINDOW - len(odd)) + odd
    where.shuffle(took)  # type: ignore[attr-defined]
    subject = pace()
    feed(subject, *[usual] * WINDOW)
    settled = subject.seconds(1)
    feed(subject, *took)
    assert subject.seconds(1) == pytest.approx(settled, rel=0.05)


def test_a_new_pace_is_known_after_a_majority_of_the_window() -> None:
    subject = pace()
    feed(subject, *[0.1] * WINDOW)
    feed(subject, *[0.2] * (WINDOW // 2 + 1))
    assert subject.seconds(1) == pytest.approx(0.2)


def test_a_slower_clock_scales_the_curve_at_once() -> None:
    subject = pace()
    assert subject.scale(0.5)
    assert subject.seconds(1) == pytest.approx(0.2)
    assert not subject.scale(0.5), "no news"
    assert subject.scale(1.0)
    assert subject.seconds(1) == pytest.approx(0.1)


def test_what_the_clock_explains_is_not_corrected_a_second_time() -> None:
    subject = pace(speed=0.5)
    feed(subject, *[0.2] * WINDOW)
    assert subject.correction == pytest.approx(1.0)
    subject.scale(1.0)
    assert subject.seconds(1) == pytest.approx(0.1)


def test_an_unmeasured_model_goes_by_what_was_seen() -> None:
    subject = pace(None)
    assert not subject.known
    assert subject.seconds(1) == 0.0
    feed(subject, 0.3, 0.1, 0.2)
    assert subject.known
    assert subject.seconds(1) == pytest.approx(0.2)
    assert subject.curve is None, "sizes were not compared, so none is better than another"


def test_the_overhead_is_a_median_too() -> None:
    subject = pace()
    for overhead_s in (0.004, 0.003, 5.0):
        subject.observe(rows=1, compute_s=0.1, overhead_s=overhead_s)
    assert subject.overhead_s == 0.004
    assert subject.completion_s(1) == pytest.approx(0.104)


def test_another_curve_keeps_what_is_known_of_the_network() -> None:
    before = pace()
    for _ in range(ENOUGH):
        before.observe(rows=1, compute_s=0.3, overhead_s=0.05)
    after = pace()
    after.inherit(before)
    assert after.overhead_s == 0.05
    assert after.correction == 1.0
