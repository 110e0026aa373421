"""Events as a gateway keeps and tells them."""

import asyncio

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


def log(count: int) -> EventLog:
    made = EventLog(SystemClock())
    for _ in range(count):
        made.post(JOINED)
    return made


async def test_events_are_told_some_at_a_time_and_then_as_they_happen(few: None) -> None:
    made = log(3)
    watched = made.watch(0)
    assert [event.number for event in (await anext(watched)).events] == [1, 2]
    assert [event.number for event in (await anext(watched)).events] == [3]
    waiting = asyncio.ensure_future(anext(watched))
    await asyncio.sleep(0)
    made.post(JOINED)
    assert [event.number for event in (await waiting).events] == [4]
    await watched.aclose()


@settings(deadline=None)
@given(count=st.integers(0, 12), after=st.integers(0, 15))
def test_whoever_comes_late_is_told_how_much_it_missed(count: int, after: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_KEPT", 5)
        made = log(count)
    told = made.after(after)
    known = 0 if after > count else after
    assert told.missed + len(told.events) == count - known
    assert [event.number for event in told.events] == list(
        range(known + told.missed + 1, count + 1)
    )
