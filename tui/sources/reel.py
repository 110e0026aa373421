"""The frames of a recording as what they tell, in the order of time."""

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Final, TypeVar

from farm.core.events import FarmEvent
from tui.readings.rates import WINDOW_S
from tui.sources.recording import FrameKind, Index, Read, message_at
from tui.sources.source import (
    EventsCame,
    Jumped,
    LinkChanged,
    LinkState,
    Playhead,
    SnapshotCame,
    Update,
)
from tui.store import MAX_EVENTS, STALE_S

_Told = TypeVar("_Told", SnapshotCame, EventsCame)

_KINDS: Final[Mapping[type[Update], FrameKind]] = {
    SnapshotCame: FrameKind.SNAPSHOT,
    EventsCame: FrameKind.EVENTS,
}


class Reel:
    """Frames, and which of them were told already. One that is damaged is left out and counted."""

    def __init__(self, read: Read, index: Index) -> None:
        self._read = read
        self._index = index
        self._next = 0
        self._begins_ns = index.unix_ns[0] if index.unix_ns else 0
        # When the last snapshot came that was told.
        self._snapshot_ns = self._begins_ns
        self._damaged: set[int] = set()

    @property
    def flaws(self) -> str:
        """What is wrong with the recording, to be said after something else."""
        said = "; it was cut off in the midst of its last frame" if self._index.cut else ""
        if damaged := self._index.damaged + len(self._damaged):
            said += f"; {damaged} damaged frame{'s' * (damaged > 1)} left out"
        return said

    def link(self, playhead: Playhead) -> LinkChanged:
        """Return what the link is where nothing but the recording is known."""
        if playhead.at_unix_ns == playhead.ends_unix_ns:
            state, detail = LinkState.ENDED, "the recording ends here"
        elif playhead.at_unix_ns - self._snapshot_ns > STALE_S * 1e9:
            state, detail = LinkState.DOWN, "nothing was recorded here"
        else:
            state, detail = LinkState.UP, ""
        return LinkChanged(state=state, detail=f"{detail}{self.flaws}".removeprefix("; "))

    def until(self, unix_ns: int) -> Iterator[Update]:
        """Yield what came since the last call, up to a moment: all events, the last snapshot."""
        first, self._next = self._next, bisect_right(self._index.unix_ns, unix_ns)
        yield from self._all(EventsCame, range(first, self._next))
        yield from islice(self._all(SnapshotCame, range(first, self._next)[::-1]), 1)

    def wound(self, unix_ns: int) -> Iterator[Update]:
        """Yield what leads up to a moment, wherever it is: as much as would be known there."""
        self._next = bisect_right(self._index.unix_ns, unix_ns)
        self._snapshot_ns = self._begins_ns
        yield Jumped()
        yield self._events_in(range(self._next))
        yield from self._latest_in(range(self._next))

    def _events_in(self, numbers: range) -> EventsCame:
        """Return as many of the latest events as are kept."""
        events: deque[FarmEvent] = deque()
        missed = 0
        for update in self._all(EventsCame, numbers[::-1]):
            room = MAX_EVENTS - len(events)
            events.extendleft(update.events[: -room - 1 : -1])
            missed += update.missed
            if len(events) == MAX_EVENTS:
                break
        return EventsCame(events=tuple(events), missed=missed)

    def _latest_in(self, numbers: range) -> list[SnapshotCame]:
        """Return the latest snapshots: those that its rates are made of, as `RateMeter` has it."""
        lately: list[SnapshotCame] = []
        for update in self._all(SnapshotCame, numbers[::-1]):
            taken_ns = update.snapshot.taken_unix_ns
            if lately and not 0 < lately[-1].snapshot.taken_unix_ns - taken_ns <= WINDOW_S * 1e9:
                break
            lately.append(update)
            if lately[0].snapshot.taken_unix_ns - taken_ns >= WINDOW_S * 1e9:
                break
        return lately[::-1]

    def _all(self, kind: type[_Told], numbers: range) -> Iterator[_Told]:
        """Yield what the sound frames of a kind hold."""
        for number in numbers:
            if self._index.kinds[number] == _KINDS[kind]:
                update = self._told(number)
                if isinstance(update, kind):
                    yield update

    def _told(self, number: int) -> Update | None:
        """Return what a frame holds; None if it is damaged."""
        # gRPC is slow to import, and a screen is painted before anything is played.
        from farm.client.operations import of_event
        from farm.client.snapshots import of_snapshot
        from farm.pb import farm_admin_pb2 as pb

        content = message_at(self._read, self._index.offsets[number])
        try:
            if content is None:
                pass
            elif self._index.kinds[number] == FrameKind.SNAPSHOT:
                snapshot = of_snapshot(pb.FarmSnapshot.FromString(content))
                self._snapshot_ns = max(self._snapshot_ns, self._index.unix_ns[number])
                return SnapshotCame(snapshot=snapshot)
            else:
                message = pb.WatchEventsResponse.FromString(content)
                events = tuple(map(of_event, message.events))
                return EventsCame(events=events, missed=message.missed)
        except Exception:  # noqa: S110
            # Its checksum is right, but it is no message of ours: no farm wrote it.
            pass
        self._damaged.add(number)
        return None
