"""Where a replay is, by whatever it was steered."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tui.sources.playback import FASTEST, SLOWEST, Playback

SECOND = 1_000_000_000


def playback(speed: float = 1.0) -> Playback:
    return Playback(100 * SECOND, 200 * SECOND, speed=speed, now=0.0)


def at_s(playback: Playback, now: float) -> float:
    return playback.look(now)[0].at_unix_ns / SECOND


def test_it_runs_at_its_speed_until_the_end() -> None:
    played = playback(2.0)
    assert [at_s(played, now) for now in (0.0, 10.0, 49.0, 51.0)] == [100, 120, 198, 200]


def test_a_change_of_speed_does_not_move_it() -> None:
    played = playback()
    played.faster(10.0)
    assert at_s(played, 10.0) == 110
    assert at_s(played, 20.0) == 130
    played.slower(20.0)
    assert at_s(played, 30.0) == 140


def test_while_it_is_paused_it_stands_still() -> None:
    played = playback()
    played.pause(10.0)
    assert played.look(50.0)[0].paused
    assert at_s(played, 50.0) == 110
    played.pause(50.0)
    assert at_s(played, 51.0) == 111


def test_it_is_wound_as_far_as_there_is_something_and_says_so_once() -> None:
    played = playback()
    played.skip(45 * SECOND, 5.0)
    playhead, jumped = played.look(6.0)
    assert (playhead.at_unix_ns, jumped) == (151 * SECOND, True)
    assert not played.look(7.0)[1]
    played.skip(-999 * SECOND, 7.0)
    assert at_s(played, 7.0) == 100
    played.skip(999 * SECOND, 7.0)
    assert at_s(played, 7.0) == 200


def test_skips_add_up_however_soon_one_follows_the_other() -> None:
    played = playback()
    played.look(20.0)
    for _ in range(3):
        played.skip(10 * SECOND, 20.0)
    assert at_s(played, 20.0) == 150
    played.pause(20.0)
    for now in (20.0, 21.0, 30.0):
        played.skip(-10 * SECOND, now)
    assert at_s(played, 60.0) == 120


def test_at_the_end_it_begins_anew() -> None:
    played = playback()
    played.look(500.0)
    played.pause(500.0)
    playhead, jumped = played.look(501.0)
    assert (playhead.at_unix_ns, playhead.paused, jumped) == (101 * SECOND, False, True)


def test_without_an_end_it_goes_on_until_there_is_one() -> None:
    played = Playback(100 * SECOND, None, speed=1.0, now=0.0)
    assert at_s(played, 1_000.0) == 1_100
    assert played.look(1_000.0)[0].ends_unix_ns is None
    played.end(500 * SECOND)
    assert at_s(played, 1_000.0) == 500


def test_what_is_played_more_slowly_holds_it_back() -> None:
    played = Playback(100 * SECOND, None, speed=64.0, now=0.0)
    played.hold(110 * SECOND, 1.0)
    assert at_s(played, 1.0) == 110
    played.skip(226 * SECOND, 2.0)
    # What it was wound to is not forgotten for what is late.
    played.hold(120 * SECOND, 2.0)
    playhead, jumped = played.look(2.0)
    assert (playhead.at_unix_ns, jumped) == (400 * SECOND, True)


@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["pause", "faster", "slower", "skip", "look"]),
            st.floats(0, 60),
            st.integers(-400, 400),
        )
    )
)
@settings(deadline=None)
def test_however_it_is_steered_it_stays_within_the_recording(
    steps: list[tuple[str, float, int]],
) -> None:
    played, now = playback(), 0.0
    for step, passed_s, by_s in steps:
        now += passed_s
        if step == "skip":
            played.skip(by_s * SECOND, now)
        else:
            getattr(played, step)(now)
        playhead, _ = played.look(now)
        assert playhead.begins_unix_ns <= playhead.at_unix_ns <= (playhead.ends_unix_ns or 0)
        assert SLOWEST <= playhead.speed <= FASTEST
