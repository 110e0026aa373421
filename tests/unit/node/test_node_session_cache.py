"""The session cache: how many sessions stay open, and which."""

from collections.abc import Iterator
from threading import Event, Thread
from time import monotonic
from typing import Any

import pytest

from farm.core.errors import ModelUnavailableError
from farm.node.session_cache import SessionCache

WAIT_S = 10.0


class Opener:
    """Makes stand-ins for sessions and remembers how often."""

    def __init__(self, size_bytes: int = 10) -> None:
        self.size_bytes = size_bytes
        self.made: list[object] = []

    @property
    def calls(self) -> int:
        return len(self.made)

    def __call__(self) -> tuple[Any, int]:
        self.made.append(object())
        return self.made[-1], self.size_bytes


def test_a_session_stays_open() -> None:
    cache = SessionCache(max_sessions=2, max_bytes=100)
    opener = Opener()
    assert cache.get("a", 1, opener) is cache.get("a", 1, opener)
    assert opener.calls == 1


def test_the_least_recently_used_session_closes_and_opens_again() -> None:
    cache = SessionCache(max_sessions=2, max_bytes=100)
    openers = {digest: Opener() for digest in "abc"}
    for digest in "aba":
        cache.get(digest, 1, openers[digest])
    cache.get("c", 1, openers["c"])
    assert len(cache) == 2
    cache.get("a", 1, openers["a"])
    cache.get("b", 1, openers["b"])
    assert {digest: opener.calls for digest, opener in openers.items()} == {"a": 1, "b": 2, "c": 1}


def test_it_is_told_once_that_sessions_were_closed_for_want_of_room_or_dropped() -> None:
    cache = SessionCache(max_sessions=1, max_bytes=100)
    cache.get("a", 1, Opener())
    assert not cache.settle(idle_s=10.0)
    cache.get("b", 1, Opener())
    assert cache.settle(idle_s=10.0)
    cache.drop("b")
    assert cache.settle(idle_s=10.0)
    assert not cache.settle(idle_s=10.0)


def test_sessions_close_when_they_are_too_big_together() -> None:
    cache = SessionCache(max_sessions=10, max_bytes=100)
    cache.get("a", 1, Opener(60))
    cache.get("b", 1, Opener(30))
    cache.get("c", 1, Opener(40))
    assert len(cache) == 2
    again = Opener(60)
    cache.get("a", 1, again)
    assert again.calls == 1


def test_one_session_beyond_the_bound_still_runs() -> None:
    cache = SessionCache(max_sessions=10, max_bytes=100)
    cache.get("small", 1, Opener(10))
    session = cache.get("huge", 1, Opener(1000))
    assert len(cache) == 1
    assert cache.get("huge", 1, Opener()) is session


def test_a_dropped_session_opens_anew() -> None:
    cache = SessionCache(max_sessions=2, max_bytes=100)
    first = cache.get("a", 1, Opener())
    cache.drop("a")
    cache.drop("a")
    assert len(cache) == 0
    assert cache.get("a", 1, Opener()) is not first


def test_a_session_that_cannot_open_is_tried_again() -> None:
    cache = SessionCache(max_sessions=2, max_bytes=100)

    def broken() -> tuple[Any, int]:
        raise ModelUnavailableError("no")

    with pytest.raises(ModelUnavailableError):
        cache.get("a", 1, broken)
    assert cache.get("a", 1, Opener()) is not None


def test_two_threads_open_a_session_once() -> None:
    cache = SessionCache(max_sessions=2, max_bytes=100)
    opening, go_on = Event(), Event()
    opener = Opener()

    def slow() -> tuple[Any, int]:
        opening.set()
        assert go_on.wait(WAIT_S)
        return opener()

    got: list[object] = []
    first = Thread(target=lambda: got.append(cache.get("a", 1, slow)))
    second = Thread(target=lambda: got.append(cache.get("a", 1, slow)))
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
    ready = cache.get("ready", 1, Opener())
    opening, go_on = Event(), Event()

    def slow() -> tuple[Any, int]:
        opening.set()
        assert go_on.wait(WAIT_S)
        return object(), 10

    thread = Thread(target=cache.get, args=("slow", 1, slow))
    thread.start()
    try:
        assert opening.wait(WAIT_S)
        assert cache.get("ready", 1, Opener()) is ready
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

    user = Thread(target=cache.get, args=("a", 1, slow))
    dropper = Thread(target=cache.drop, args=("a",))
    user.start()
    assert opening.wait(WAIT_S)
    dropper.start()
    go_on.set()
    for thread in (user, dropper):
        thread.join(WAIT_S)
        assert not thread.is_alive()
    assert len(cache) == 0


@pytest.fixture
def splits() -> Iterator[SessionCache]:
    """A cache with a session of model "a" for one thread."""
    cache = SessionCache(max_sessions=9, max_bytes=1000)
    cache.get("a", 1, Opener())
    yield cache
    cache.close()


def when_open(cache: SessionCache, threads: int, opener: Opener) -> object:
    """Ask for a session of "a" until its opener has made it."""
    give_up = monotonic() + WAIT_S
    while (session := cache.get("a", threads, opener)) not in opener.made:
        assert monotonic() < give_up
    return session


def test_nobody_waits_for_a_session_of_another_split(splits: SessionCache) -> None:
    one = splits.get("a", 1, Opener())
    opening, go_on = Event(), Event()
    opener = Opener()

    def slow() -> tuple[Any, int]:
        opening.set()
        assert go_on.wait(WAIT_S)
        return opener()

    assert splits.get("a", 2, slow) is one
    assert opening.wait(WAIT_S)
    assert splits.get("a", 2, slow) is one
    assert splits.get("a", 1, Opener()) is one
    go_on.set()
    two = when_open(splits, 2, opener)
    assert opener.calls == 1
    assert splits.get("a", 1, Opener()) is one
    assert splits.get("a", 2, Opener()) is two


def test_a_session_of_another_split_that_cannot_open_is_tried_again(splits: SessionCache) -> None:
    one = splits.get("a", 1, Opener())
    tried = Event()

    def broken() -> tuple[Any, int]:
        tried.set()
        raise ModelUnavailableError("no")

    assert splits.get("a", 2, broken) is one
    assert tried.wait(WAIT_S)
    assert when_open(splits, 2, Opener()) is not one


def test_a_third_split_of_a_model_closes_the_one_that_was_used_least(splits: SessionCache) -> None:
    splits.get("other", 1, Opener())
    when_open(splits, 2, Opener())
    splits.get("a", 1, Opener())
    when_open(splits, 4, Opener())
    assert len(splits) == 3
    again = Opener()
    splits.get("a", 1, again)
    splits.get("a", 4, again)
    assert again.calls == 0


def test_the_session_of_the_former_split_closes_once_it_is_idle() -> None:
    now = [0.0]
    cache = SessionCache(max_sessions=9, max_bytes=1000, clock=lambda: now[0])
    cache.get("other", 1, Opener())
    cache.get("a", 1, Opener())
    now[0] = 5.0
    when_open(cache, 2, Opener())
    cache.settle(idle_s=10.0)
    assert len(cache) == 3
    now[0] = 15.0
    assert cache.settle(idle_s=10.0)
    assert not cache.settle(idle_s=10.0)
    assert len(cache) == 2
    again = Opener()
    cache.get("a", 2, again)
    cache.get("other", 1, again)
    assert again.calls == 0
    now[0] = 100.0
    cache.settle(idle_s=10.0)
    assert len(cache) == 2
    cache.close()


def test_all_sessions_of_a_model_are_dropped(splits: SessionCache) -> None:
    when_open(splits, 2, Opener())
    splits.get("b", 1, Opener())
    splits.drop("a")
    assert len(splits) == 1
