"""Recording never stands in the screen's way, and keeps to itself what it writes."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import cast

import pytest
from recorded import SteppedClock, recorded, snapshot_message

from farm.core.errors import ConfigurationError
from farm.pb.farm_admin_pb2 import FarmSnapshot
from tui.sources.recorder import Recorder
from tui.sources.recording import Index, index_of


def index_of_file(path: Path) -> Index:
    content = path.read_bytes()
    return index_of(lambda size, offset: content[offset : offset + size], len(content))


class SlowMessage:
    """Takes as long to be written as a disk hangs."""

    def __init__(self, goes_on: Event) -> None:
        self._goes_on = goes_on

    def SerializeToString(self) -> bytes:  # noqa: N802
        assert self._goes_on.wait(10)
        return b""


@contextmanager
def disk_that_ends(size_bytes: int) -> Iterator[None]:
    """No file grows beyond a size meanwhile."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_recording_is_its_owners_alone(tmp_path: Path) -> None:
    path = recorded(tmp_path / "a", range(3))
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(index_of_file(path).offsets) == 6


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("dear")
    with pytest.raises(ConfigurationError, match="exists; name another file"):
        Recorder(path)
    assert path.read_text() == "dear"


def test_a_file_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be written: No such file or directory"):
        Recorder(tmp_path / "none" / "a")


def test_a_full_disk_ends_the_recording_and_nothing_else(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "a")
    with disk_that_ends(300):
        for at_s in range(20):
            recorder.snapshot(snapshot_message(at_s))
        recorder.close()
    assert recorder.fault == "the recording ended: File too large"
    assert index_of_file(tmp_path / "a").cut


def test_a_disk_that_hangs_holds_nobody_up_and_leaves_a_gap(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "a")
    goes_on = Event()

    for _ in range(300):
        recorder.snapshot(cast(FarmSnapshot, SlowMessage(goes_on)))
    goes_on.set()
    recorder.close()
    assert recorder.fault == "the disk is too slow: the recording has gaps"
    assert not index_of_file(tmp_path / "a").cut


def test_a_clock_that_is_set_back_turns_nothing_round(tmp_path: Path) -> None:
    clock = SteppedClock()
    recorder = Recorder(tmp_path / "a", clock=clock)
    for clock.at_s in (5, 3, 6):
        recorder.snapshot(snapshot_message(round(clock.at_s)))
    recorder.close()
    times = index_of_file(tmp_path / "a").unix_ns
    assert [(each - times[0]) / 1e9 for each in times] == [0, 0, 1]
