"""The frames of a recording as what they tell, in the order of time."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import islice
from typing import Final

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
from tui.store import STALE_S

# Events before a moment that are told where it was wound to: more than a screen is high.
_EVENTS_BEFORE: Final = 1_000


class Reel:
    """Frames, and which of them were told already. One that is damaged is left out and counted."""

    def __init__(self, read: Read, index: Index) -> None:
        self._read = read
        self._index = index
        self._next = 0
        # When the last snapshot came that was told.
        self._snapshot_ns = index.unix_ns[0] if index.unix_ns else 0
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
        yield from self._all(FrameKind.EVENTS, range(first, self._next))
        yield from islice(self._all(FrameKind.SNAPSHOT, range(first, self._next)[::-1]), 1)

    def wound(self, unix_ns: int) -> Iterator[Update]:
        """Yield what leads up to a moment, wherever it is: as much as its rates are made of."""
        times = self._index.unix_ns
        self._next = bisect_right(times, unix_ns)
        yield Jumped()
        yield from reversed(self._latest_events(range(self._next)))
        first = bisect_left(times, unix_ns - round(WINDOW_S * 1e9), hi=self._next)
        lately = list(self._all(FrameKind.SNAPSHOT, range(first, self._next)))
        earlier = self._all(FrameKind.SNAPSHOT, range(first)[::-1])
        yield from lately or islice(earlier, 1)

    def _latest_events(self, numbers: range) -> list[Update]:
        """Return events, the latest first, until there are many."""
        told: list[Update] = []
        left = _EVENTS_BEFORE
        for update in self._all(FrameKind.EVENTS, numbers[::-1]):
            told.append(update)
            left -= len(update.events) if isinstance(update, EventsCame) else 0
            if left <= 0:
                break
        return told

    def _all(self, kind: FrameKind, numbers: range) -> Iterator[Update]:
        """Yield what the sound frames of a kind hold."""
        for number in numbers:
            if self._index.kinds[number] == kind and (update := self._told(number)) is not None:
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
                self._snapshot_ns = self._index.unix_ns[number]
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
