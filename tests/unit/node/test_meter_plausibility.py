"""Which answers of a meter are believed."""

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.node.meters.plausibility import Draw, Plausibility
from farm.node.meters.reading import Fault, Reading

MAX_W = 30.0
GAP_S = 8.0


def refusal(found: Draw | Fault | None) -> str:
    assert isinstance(found, Fault), found
    return found.text


@pytest.mark.parametrize(
    ("watts", "says"),
    [
        (-2.0, "tells -2 W, and no machine gives power back"),
        (0.0, "tells 0 W, less than any machine that runs"),
        # Kilowatts, and milliwatts.
        (0.0052, "the unit is watts"),
        (5200.0, "more than the 30 W that the host can draw"),
    ],
)
def test_watts_that_no_host_draws(watts: float, says: str) -> None:
    assert says in refusal(Plausibility(MAX_W, gap_s=GAP_S).judge(Reading(watts=watts), 0.0))


def test_watts_that_it_may_draw() -> None:
    assert Plausibility(MAX_W, gap_s=GAP_S).judge(Reading(watts=5.2), 0.0) == Draw(watts=5.2)


def test_one_bad_answer_spoils_none_that_follow() -> None:
    judge = Plausibility(MAX_W, gap_s=GAP_S).judge
    refusal(judge(Reading(watts=900.0), 0.0))
    assert judge(Reading(watts=5.2), 1.0) == Draw(watts=5.2)


def test_a_counter_tells_watts_by_its_slope() -> None:
    judge = Plausibility(MAX_W, gap_s=GAP_S).judge
    assert judge(Reading(counted_j=100.0), 10.0) is None
    assert judge(Reading(counted_j=112.0), 12.0) == Draw(watts=6.0, counted_j=12.0)


@pytest.mark.parametrize("anew", [0.0, 1e6])
def test_a_counter_that_was_reset_or_jumps_is_refused_once(anew: float) -> None:
    judge = Plausibility(MAX_W, gap_s=GAP_S).judge
    judge(Reading(counted_j=100.0), 10.0)
    refusal(judge(Reading(counted_j=anew), 11.0))
    assert judge(Reading(counted_j=anew + 6.0), 12.0) == Draw(watts=6.0, counted_j=6.0)


def test_an_answer_without_any_figure_is_refused() -> None:
    assert "neither watts nor joules" in refusal(
        Plausibility(MAX_W, gap_s=GAP_S).judge(Reading(), 0.0)
    )


def test_a_device_whose_clock_stands_still_repeats_itself() -> None:
    judge = Plausibility(MAX_W, gap_s=GAP_S).judge
    for now in range(30):
        assert isinstance(judge(Reading(watts=5.0, tick="12:00:01"), float(now)), Draw)
    assert "stands still" in refusal(judge(Reading(watts=5.0, tick="12:00:01"), 32.0))
    assert isinstance(judge(Reading(watts=5.0, tick="12:00:33"), 33.0), Draw)


def test_a_clock_that_shows_minutes_may_show_one_for_long() -> None:
    judge = Plausibility(MAX_W, gap_s=GAP_S).judge
    for now in range(89):
        minute = f"{now // 60}"
        assert isinstance(judge(Reading(watts=5.0, tick=minute, tick_s=60.0), float(now)), Draw)


# -- watts against the counter ------------------------------------------------------------


def plug(
    true_w: Callable[[int], float],
    said_w: Callable[[int], float],
    *,
    step_j: float,
    every_s: int = 1,
) -> Iterator[tuple[int, Reading]]:
    """A plug that is asked every second and now and then counts whole steps of true joules."""
    joules = counted_j = 0.0
    for second in range(100_000):
        if second % every_s == 0:
            counted_j = joules // step_j * step_j
        yield second, Reading(watts=said_w(second), counted_j=counted_j)
        joules += true_w(second)


def refused_at(
    answers: Iterator[tuple[int, Reading]], *, until: int, asked_s: int = 1
) -> int | None:
    """When watts were first refused, in seconds, of a plug that is asked every `asked_s`."""
    judge = Plausibility(MAX_W, gap_s=max(2.1 * asked_s, GAP_S)).judge
    for second, reading in answers:
        if second % asked_s:
            continue
        if isinstance(judge(reading, float(second)), Fault):
            return second
        if second >= until:
            return None
    raise AssertionError("the plug fell silent")


def steady(watts: float) -> Callable[[int], float]:
    return lambda _: watts


STEPS_J = pytest.mark.parametrize("step_j", [3.6, 60.0, 3600.0], ids=["gen2", "gen1", "tasmota"])


@STEPS_J
@pytest.mark.parametrize("asked_s", [1, 30])
@pytest.mark.parametrize("true_w", [steady(5.0), lambda s: 3.0 if s % 600 < 300 else 12.0])
def test_an_honest_plug_is_believed_however_coarse_its_counter(
    true_w: Callable[[int], float], asked_s: int, step_j: float
) -> None:
    answers = plug(true_w, true_w, step_j=step_j)
    assert refused_at(answers, until=50_000, asked_s=asked_s) is None


@settings(deadline=None)
@given(
    st.lists(st.floats(2.5, 14.0), min_size=1, max_size=20),
    st.sampled_from([3.6, 60.0, 360.0]),
    st.sampled_from([1, 60]),
)
def test_no_load_makes_an_honest_plug_a_liar(
    loads: list[float], step_j: float, every_s: int
) -> None:
    def true_w(second: int) -> float:
        return loads[second // 37 % len(loads)]

    # It rounds its watts, as plugs do.
    answers = plug(true_w, lambda at: round(true_w(at)), step_j=step_j, every_s=every_s)
    assert refused_at(answers, until=2_000) is None


@STEPS_J
@pytest.mark.parametrize("asked_s", [1, 30])
def test_watts_that_are_another_socket_s_are_refused(asked_s: int, step_j: float) -> None:
    answers = plug(steady(3.0), steady(12.0), step_j=step_j)
    assert refused_at(answers, until=50_000, asked_s=asked_s)


@STEPS_J
def test_a_counter_that_stops_is_noticed(step_j: float) -> None:
    def true_w(second: int) -> float:
        return 5.0 if second < 5_000 else 0.0

    found = refused_at(plug(true_w, steady(5.0), step_j=step_j), until=50_000)
    assert found is not None
    assert found > 5_000


def test_a_meter_that_agrees_with_itself_again_is_believed_again() -> None:
    judge = Plausibility(MAX_W, gap_s=GAP_S).judge

    def said_w(second: int) -> float:
        return 5.0 if second < 2_000 else 20.0 if second < 4_000 else 5.0

    found = [
        isinstance(judge(reading, float(second)), Draw)
        for second, reading in zip(
            range(10_000),
            (reading for _, reading in plug(steady(5.0), said_w, step_j=60.0)),
            strict=False,
        )
    ]
    assert found[1_999]
    assert not found[3_999]
    assert found[9_999]


def test_a_counter_that_begins_anew_contradicts_nothing() -> None:
    judge = Plausibility(MAX_W, gap_s=GAP_S).judge
    for second, reading in plug(steady(5.0), steady(5.0), step_j=60.0):
        # A plug that restarts forgets what it counted.
        counted_j = (reading.counted_j or 0.0) % 1_500
        assert isinstance(judge(Reading(watts=5.0, counted_j=counted_j), float(second)), Draw)
        if second > 5_000:
            break
