"""The session cache: how many sessions stay open, and which."""

from threading import Event, Thread
from typing import Any

import pytest

from farm.core.errors import ModelUnavailableError
from farm.node.session_cache import SessionCache

WAIT_S = 10.0


class Opener:
    """Makes stand-ins for sessions and remembers how often."""

    def __init__(self, size_bytes: int = 10) -> None:
        self.size_bytes = size_bytes
        self.calls = 0

    def __call__(self) -> tuple[Any, int]:
        self.calls += 1
        return object(), self.size_bytes


def test_a_session_stays_open() -> None:
    cache = SessionCache(max_sessions=2, max_bytes=100)
    opener = Opener()
    assert cache.get("a", opener) is cache.get("a", opener)
    assert opener.calls == 1


def test_the_least_recently_used_session_closes_and_opens_again() -> None:
    cache = SessionCache(max_sessions=2, max_bytes=100)
    openers = {digest: Opener() for digest in "abc"}
    for digest in "aba":
        cache.get(digest, openers[digest])
    cache.get("c", openers["c"])
    assert len(cache) == 2
    cache.get("a", openers["a"])
    cache.get("b", openers["b"])
    assert {digest: opener.calls for digest, opener in openers.items()} == {"a": 1, "b": 2, "c": 1}


def test_sessions_close_when_they_are_too_big_together() -> None:
    cache = SessionCache(max_sessions=10, max_bytes=100)
    cache.get("a", Opener(60))
    cache.get("b", Opener(30))
    cache.get("c", Opener(40))
    assert len(cache) == 2
    again = Opener(60)
    cache.get("a", again)
    assert again.calls == 1


def test_one_session_beyond_the_bound_still_runs() -> None:
    cache = SessionCache(max_sessions=10, max_bytes=100)
    cache.get("small", Opener(10))
    session = cache.get("huge", Opener(1000))
    assert len(cache) == 1
    assert cache.get("huge", Opener()) is session


def test_a_dropped_session_opens_anew() -> None:
    cache = SessionCache(max_sessions=2, max_bytes=100)
    first = cache.get("a", Opener())
    cache.drop("a")
    cache.drop("a")
    assert len(cache) == 0
    assert cache.get("a", Opener()) is not first


def test_a_session_that_cannot_open_is_tried_again() -> None:
    cache = SessionCache(max_sessions=2, max_bytes=100)

    def broken() -> tuple[Any, int]:
        raise ModelUnavailableError("no")

    with pytest.raises(ModelUnavailableError):
        cache.get("a", broken)
    assert cache.get("a", Opener()) is not None


def test_two_threads_open_a_session_once() -> None:
    cache = SessionCache(max_sessions=2, max_bytes=100)
    opening, go_on = Event(), Event()
    opener = Opener()

    def slow() -> tuple[Any, int]:
        opening.set()
        assert go_on.wait(WAIT_S)
        return opener()

    got: list[object] = []
    first = Thread(target=lambda: got.append(cache.get("a", slow)))
    second = Thread(target=lambda: got.append(cache.get("a", slow)))
    first.start()
    assert opening.wait(WAIT_S)
    second.start()
    go_on.set()
    for thread in (first, second):
        thread.join(WAIT_S)
        assert not thread.is_alive()
    assert opener.calls == 1
    assert got[0] is got[1]


def test_an_open_session_is_had_while_another_one_opens() -> None:
    cache = SessionCache(max_sessions=2, max_bytes=100)
    ready = cache.get("ready", Opener())
    opening, go_on = Event(), Event()

    def slow() -> tuple[Any, int]:
        opening.set()
        assert go_on.wait(WAIT_S)
        return object(), 10

    thread = Thread(target=cache.get, args=("slow", slow))
    thread.start()
    try:
        assert opening.wait(WAIT_S)
        assert cache.get("ready", Opener()) is ready
    finally:
        go_on.set()
        thread.join(WAIT_S)


def test_a_session_that_was_being_opened_is_dropped_too() -> None:
    cache = SessionCache(max_sessions=2, max_bytes=100)
    opening, go_on = Event(), Event()

    def slow() -> tuple[Any, int]:
        opening.set()
        assert go_on.wait(WAIT_S)
        return object(), 10

    user = Thread(target=cache.get, args=("a", slow))
    dropper = Thread(target=cache.drop, args=("a",))
    user.start()
    assert opening.wait(WAIT_S)
    dropper.start()
    go_on.set()
    for thread in (user, dropper):
        thread.join(WAIT_S)
        assert not thread.is_alive()
    assert len(cache) == 0
