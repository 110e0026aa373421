"""What a meter's answers add up to, at any moment that a heartbeat asks."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.node.meters.gauge import Gauge, Metered
from farm.node.meters.plausibility import Draw
from farm.node.meters.reading import Fault


def test_nothing_is_told_before_the_first_answer() -> None:
    assert Gauge().tell(5.0) == Metered()


def test_watts_hold_until_the_next_answer() -> None:
    gauge = Gauge()
    gauge.draw(Draw(watts=4.0), 10.0, fresh_s=6.0)
    assert gauge.tell(10.5) == Metered(metered_j=2.0, metered_s=0.5, power_w=4.0)
    gauge.draw(Draw(watts=6.0), 12.0, fresh_s=6.0)
    assert gauge.tell(13.0) == Metered(metered_j=14.0, metered_s=3.0, power_w=6.0)


def test_a_meter_that_falls_silent_is_counted_no_longer_than_it_is_fresh() -> None:
    gauge = Gauge()
    gauge.draw(Draw(watts=4.0), 0.0, fresh_s=6.0)
    gauge.fail(Fault("does not answer"))
    assert gauge.tell(5.0) == Metered(metered_j=20.0, metered_s=5.0, power_w=4.0)
    lost = Metered(metered_j=24.0, metered_s=6.0, meter_fault="does not answer")
    assert gauge.tell(6.0) == gauge.tell(600.0) == lost


def test_a_meter_that_hangs_without_a_word_is_lost_all_the_same() -> None:
    gauge = Gauge()
    gauge.draw(Draw(watts=4.0), 0.0, fresh_s=6.0)
    assert gauge.tell(60.0).power_w is None
    assert "told nothing for too long" in gauge.tell(60.0).meter_fault


def test_a_meter_that_comes_back_is_counted_from_then_on() -> None:
    gauge = Gauge()
    gauge.draw(Draw(watts=4.0), 0.0, fresh_s=6.0)
    gauge.fail(Fault("does not answer"))
    gauge.draw(Draw(watts=5.0), 100.0, fresh_s=6.0)
    assert gauge.tell(102.0) == Metered(metered_j=34.0, metered_s=8.0, power_w=5.0)


def test_what_a_counter_tells_afterwards_is_what_counts() -> None:
    gauge = Gauge()
    gauge.draw(Draw(watts=4.0, counted_j=4.0), 1.0, fresh_s=6.0)
    assert gauge.tell(2.0).metered_j == pytest.approx(4.0)
    gauge.draw(Draw(watts=9.0, counted_j=9.0), 2.0, fresh_s=6.0)
    assert gauge.tell(2.0).metered_j == pytest.approx(9.0)


def test_joules_that_were_told_too_soon_are_not_told_again() -> None:
    gauge = Gauge()
    gauge.draw(Draw(watts=50.0, counted_j=50.0), 1.0, fresh_s=6.0)
    assert gauge.tell(2.0).metered_j == pytest.approx(50.0)
    gauge.draw(Draw(watts=10.0, counted_j=10.0), 2.0, fresh_s=6.0)
    assert gauge.tell(4.0).metered_j == pytest.approx(50.0)
    assert gauge.tell(7.0).metered_j == pytest.approx(60.0)


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["watts", "counter", "fail", "tell"]),
        st.floats(0.0, 10.0),
        st.floats(0.1, 30.0),
    ),
    max_size=60,
)


@settings(deadline=None)
@given(EVENTS)
def test_joules_and_seconds_never_fall_and_seconds_are_never_more_than_passed(
    events: list[tuple[str, float, float]],
) -> None:
    gauge, now, last = Gauge(), 0.0, Metered()
    for what, passed_s, watts in events:
        now += passed_s
        if what == "fail":
            gauge.fail(Fault("fails"))
        elif what != "tell":
            counted_j = watts * passed_s if what == "counter" else None
            gauge.draw(Draw(watts=watts, counted_j=counted_j), now, fresh_s=6.0)
        told = gauge.tell(now)
        assert told.metered_j >= last.metered_j
        assert 0 <= told.metered_s - last.metered_s <= passed_s + 1e-9
        assert (told.power_w is None) or not told.meter_fault
        last = told


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0.1, 2.0), st.floats(0.0, 50.0)), min_size=1, max_size=60))
def test_no_joule_of_a_counter_is_lost(steps: list[tuple[float, float]]) -> None:
    gauge, now, total_j = Gauge(), 0.0, 0.0
    gauge.draw(Draw(watts=1.0, counted_j=0.0), now, fresh_s=6.0)
    for passed_s, counted_j in steps:
        now, total_j = now + passed_s, total_j + counted_j
        gauge.tell(now)
        gauge.draw(Draw(watts=counted_j / passed_s, counted_j=counted_j), now, fresh_s=6.0)
    told_j = gauge.tell(now).metered_j
    # What was told between the answers may have been too much, by one of them at most.
    most = max([1.0 * steps[0][0], *(j / s * 2.0 for s, j in steps)])
    assert total_j - 1e-6 <= told_j <= total_j + most
