"""A recording as a source: what it tells, wherever it is wound to, whatever is left of it."""

from pathlib import Path
from time import monotonic

import pytest
from followed_source import followed, wind
from recorded import recorded

from farm.core.errors import ConfigurationError
from tui.sources.replay import Replay
from tui.sources.source import LinkState, Player


def test_it_plays_to_its_end(tmp_path: Path) -> None:
    replay = Replay(recorded(tmp_path / "a", range(30)), speed=64)
    assert isinstance(replay, Player)
    assert replay.title == "recording a"
    with followed(replay) as watched:
        watched.until(lambda: watched.ended)
    assert watched.snapshots[-1] == 29
    assert watched.snapshots == sorted(set(watched.snapshots))
    assert [event.number for event in watched.store.events] == list(range(1, 31))
    assert watched.store.link.detail == "the recording ends here"
    assert not watched.store.stale(monotonic() + 60)


def test_wound_back_and_on_it_has_the_rates_and_the_events_of_that_time(tmp_path: Path) -> None:
    replay = Replay(recorded(tmp_path / "a", range(100)))
    with followed(replay) as watched:
        watched.until(lambda: bool(watched.snapshots))
        replay.pause()
        for to_s in (80, 50):
            wind(replay, to_s)
            watched.until(lambda to_s=to_s: watched.snapshots[-1:] == [to_s])  # type: ignore[misc]
            assert watched.snapshots == list(range(to_s - 10, to_s + 1))
            reading = watched.store.reading
            assert reading is not None
            assert reading.nodes["pi-01"].rates.requests_per_s == pytest.approx(1.0)
            assert [event.number for event in watched.store.events] == list(range(1, to_s + 2))


def test_where_nothing_was_recorded_it_says_so(tmp_path: Path) -> None:
    replay = Replay(recorded(tmp_path / "a", [0, 1, 2, 500, 501]))
    with followed(replay) as watched:
        watched.until(lambda: bool(watched.snapshots))
        wind(replay, 100)
        watched.until(lambda: watched.store.link.state is LinkState.DOWN)
        assert watched.store.link.detail == "nothing was recorded here"
        assert watched.snapshots == [0, 1, 2]
        assert watched.store.stale(monotonic())


def test_a_cut_one_plays_to_its_last_whole_frame(tmp_path: Path) -> None:
    path = recorded(tmp_path / "a", range(5))
    path.write_bytes(path.read_bytes()[:-1])
    with followed(Replay(path, speed=64)) as watched:
        watched.until(lambda: watched.ended)
    assert watched.snapshots[-1] == 3
    assert len(watched.store.events) == 5
    assert watched.store.link.detail.endswith("; it was cut off in the midst of its last frame")


def test_a_damaged_frame_is_left_out_and_counted_once(tmp_path: Path) -> None:
    path = recorded(tmp_path / "a", range(5))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    replay = Replay(path, speed=64)
    with followed(replay) as watched:
        watched.until(lambda: watched.ended)
        replay.skip(-1e9)
        watched.until(lambda: bool(watched.jumps) and watched.ended)
    assert watched.snapshots[-1] == 3
    assert watched.store.link.detail == "the recording ends here; 1 damaged frame left out"


def test_an_empty_one_is_told_and_steering_it_does_nothing(tmp_path: Path) -> None:
    replay = Replay(recorded(tmp_path / "a", []))
    with followed(replay) as watched:
        watched.until(lambda: watched.ended)
        for steer in (replay.pause, replay.slower, replay.faster):
            steer()
        replay.skip(-1e9)
    assert watched.store.link.detail == "the recording is empty"


def test_a_file_that_shrinks_meanwhile_is_no_traceback(tmp_path: Path) -> None:
    path = recorded(tmp_path / "a", range(60))
    replay = Replay(path)
    with followed(replay) as watched:
        watched.until(lambda: bool(watched.snapshots))
        path.write_bytes(path.read_bytes()[:200])
        wind(replay, 60)
        watched.until(lambda: watched.ended)
        assert "damaged frames left out" in watched.store.link.detail


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "cannot be read: No such file"), (b"farm top recording 7\n", "of version 7")],
)
def test_what_cannot_be_played_is_refused_at_once(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    path = tmp_path / "a"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=f"^--replay: .*{said}"):
        Replay(path)


def test_a_folder_is_no_recording(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="Is a directory"):
        Replay(tmp_path)
