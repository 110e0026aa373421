"""What happened in the farm, as long as this gateway remembers it."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from itertools import islice
from typing import Final, NamedTuple

from farm.core.clock import Clock
from farm.core.events import FarmEvent, Happening
from farm.core.text import printable

# Of usual length these take some 3 MB.
_KEPT: Final = 10_000
_MOST_SUBJECT: Final = 200
_MOST_DETAIL: Final = 2_000
# So that a storm of events is a few messages a second, each of a bounded size.
_AT_ONCE: Final = 500
_PAUSE_S: Final = 0.1


class Told(NamedTuple):
    """Events by number, and how many before them are forgotten already."""

    events: list[FarmEvent]
    missed: int


class EventLog:
    """Numbers events and tells them to whoever watches. Everything here runs on one loop.

    Numbers begin at the microsecond in which the log is made: higher than those of any gateway
    before, so that whoever knows events of that one is not taken to know these.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._events: deque[FarmEvent] = deque(maxlen=_KEPT)
        self._before = self._number = clock.unix_ns() // 1000
        self._news = asyncio.Event()

    def post(self, happening: Happening) -> None:
        """Take down what happened just now."""
        self._number += 1
        self._events.append(
            FarmEvent(
                number=self._number,
                unix_ns=self._clock.unix_ns(),
                kind=happening.kind,
                severity=happening.severity,
                # Names and reasons come from outside too.
                subject=printable(happening.subject, _MOST_SUBJECT),
                detail=printable(happening.detail, _MOST_DETAIL),
            )
        )
        self._news.set()
        self._news = asyncio.Event()

    def after(self, number: int) -> Told:
        """Return the events that followed one, the oldest of them first, some at a time.

        A number that was never given here is of another gateway: then all are told.
        """
        if not self._before <= number <= self._number:
            number = self._before
        oldest = self._number - len(self._events) + 1
        missed = max(oldest - 1 - number, 0)
        skipped = max(number + 1 - oldest, 0)
        return Told(list(islice(self._events, skipped, skipped + _AT_ONCE)), missed)

    async def watch(self, after: int) -> AsyncGenerator[Told, None]:
        """Yield what followed an event, and whatever happens from now on, without an end."""
        while True:
            news = self._news
            told = self.after(after)
            if told.events:
                after = told.events[-1].number
                yield told
                await asyncio.sleep(_PAUSE_S)
            else:
                await news.wait()
