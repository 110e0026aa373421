"""A source on its thread, and what it tells."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from time import monotonic, sleep

from recorded import BEGINS, SECOND

from tui.sources.source import (
    Jumped,
    LinkChanged,
    LinkState,
    Player,
    SnapshotCame,
    Source,
    Update,
)
from tui.store import Store

BOUND_S = 10.0


class Watched:
    """A screen's store, and all that it was told."""

    def __init__(self) -> None:
        self.store = Store()
        self.links: list[LinkChanged] = []
        self.snapshots: list[int] = []
        self.jumps = 0

    def take(self, update: Update) -> None:
        self.store.take(update, monotonic())
        if isinstance(update, LinkChanged):
            self.links.append(update)
        elif isinstance(update, SnapshotCame):
            self.snapshots.append((update.snapshot.taken_unix_ns - BEGINS) // SECOND)
        elif isinstance(update, Jumped):
            self.jumps += 1
            self.snapshots.clear()

    def until(self, condition: Callable[[], bool]) -> None:
        ends = monotonic() + BOUND_S
        while not condition():
            assert monotonic() < ends, (self.links, self.snapshots)
            sleep(0.01)

    @property
    def ended(self) -> bool:
        return self.store.link.state is LinkState.ENDED


def wind(player: Player, to_s: float) -> None:
    """Go to a moment of what stands still, in seconds after it began."""
    player.skip(-1e9)
    player.skip(to_s)


@contextmanager
def followed(replay: Source) -> Iterator[Watched]:
    watched, stop = Watched(), Event()
    thread = Thread(target=replay.follow, args=(watched.take, stop))
    thread.start()
    try:
        yield watched
    finally:
        stop.set()
        thread.join(BOUND_S)
        assert not thread.is_alive()
