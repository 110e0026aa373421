"""Events as a gateway keeps and tells them."""

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.core.clock import SystemClock
from farm.core.events import EventKind, Happening, Severity
from farm.engine import events as module
from farm.engine.events import EventLog

JOINED = Happening(kind=EventKind.NODE_READY, severity=Severity.INFO, subject="pi-01")


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_KEPT", 5)
    monkeypatch.setattr(module, "_AT_ONCE", 2)


BEGAN = 1_750_000_000_000_000


class Began(SystemClock):
    """A clock that stands at a moment after `BEGAN`."""

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds

    def unix_ns(self) -> int:
        return BEGAN * 1000 + self._seconds * 1_000_000_000


def log(count: int, *, seconds: int = 0) -> EventLog:
    made = EventLog(Began(seconds))
    for _ in range(count):
        made.post(JOINED)
    return made


async def test_events_are_told_some_at_a_time_and_then_as_they_happen(few: None) -> None:
    made = log(3)
    watched = made.watch(0)
    assert [event.number - BEGAN for event in (await anext(watched)).events] == [1, 2]
    assert [event.number - BEGAN for event in (await anext(watched)).events] == [3]
    waiting = asyncio.ensure_future(anext(watched))
    await asyncio.sleep(0)
    made.post(JOINED)
    assert [event.number - BEGAN for event in (await waiting).events] == [4]
    await watched.aclose()


def test_an_event_is_one_line_of_bounded_length() -> None:
    made = EventLog(Began(0))
    made.post(replace(JOINED, subject="a\nb" * 999, detail="\x1b[31m" * 9_999))
    (event,) = made.after(0).events
    assert (event.subject + event.detail).isprintable()
    assert len(event.subject) < 1_000
    assert len(event.detail) < 10_000


@settings(deadline=None)
@given(count=st.integers(0, 12), behind=st.integers(0, 15))
def test_whoever_comes_late_is_told_how_much_it_missed(count: int, behind: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_KEPT", 5)
        made = log(count)
    newest = BEGAN + count
    told = made.after(newest - behind)
    assert told.missed + len(told.events) == min(behind, count)
    assert [event.number for event in told.events] == list(
        range(newest - len(told.events) + 1, newest + 1)
    )


@settings(deadline=None)
@given(before=st.integers(1, 12), count=st.integers(0, 12), known=st.integers(0, 12))
@pytest.mark.parametrize("clock_steps_s", [1, -3600])
def test_whoever_knows_events_of_the_gateway_before_is_told_all_of_the_next_one(
    clock_steps_s: int, before: int, count: int, known: int
) -> None:
    old = log(before).after(0).events
    new = log(count, seconds=clock_steps_s)
    after = old[min(known, before) - 1].number
    assert len(new.after(after).events) == count
    assert clock_steps_s < 0 or all(event.number > after for event in new.after(after).events)
