"""Recordings for tests: a farm that answers one request more every second."""

from collections.abc import Iterable
from pathlib import Path

from farm.pb import farm_admin_pb2 as pb
from tui.sources.recorder import Recorder

SECOND = 1_000_000_000
BEGINS = 1_750_000_000 * SECOND


class SteppedClock:
    """A clock that is set by hand; the moment is told in seconds after `BEGINS`."""

    def __init__(self) -> None:
        self.at_s = 0.0

    def monotonic(self) -> float:
        return self.at_s

    def unix_ns(self) -> int:
        return BEGINS + round(self.at_s * SECOND)


def snapshot_message(at_s: int) -> pb.FarmSnapshot:
    node = pb.NodeSnapshot(node_id="pi-01", state="ready", work=pb.NodeWork(answers_total=at_s))
    return pb.FarmSnapshot(
        taken_unix_ns=BEGINS + at_s * SECOND, farm_name="shelf", gateway_state="serving",
        gateway_began_unix_ns=1, nodes=[node],
    )  # fmt: skip


def events_message(at_s: int) -> pb.WatchEventsResponse:
    event = pb.FarmEvent(
        number=at_s + 1, unix_ns=BEGINS + at_s * SECOND, kind="node_ready", severity="info",
        subject="pi-01",
    )  # fmt: skip
    return pb.WatchEventsResponse(events=[event])


def recorded(path: Path, seconds: Iterable[int]) -> Path:
    """Record a snapshot and an event in each second."""
    clock = SteppedClock()
    recorder = Recorder(path, clock=clock)
    for at_s in seconds:
        clock.at_s = at_s
        recorder.events(events_message(at_s))
        recorder.snapshot(snapshot_message(at_s))
    recorder.close()
    assert not recorder.fault
    return path
