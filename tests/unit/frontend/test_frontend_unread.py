"""Answers that clients do not read: what is kept of them has a bound, and goes as they do."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.core.errors import OverloadedError
from farm.frontend.unread import UnaryAnswers, UnreadAnswers

MAX_BYTES = 100


class Calls:
    """Calls whose answers are sent when they `end`."""

    def __init__(self) -> None:
        self._done: list[Callable[[object], None]] = []

    def add_done_callback(self, callback: Callable[[object], None]) -> None:
        self._done.append(callback)

    def end(self) -> None:
        while self._done:
            self._done.pop()(self)


@pytest.fixture
def unread() -> UnreadAnswers:
    return UnreadAnswers(MAX_BYTES)


def test_a_client_that_reads_nothing_leaves_half_to_the_others(unread: UnreadAnswers) -> None:
    unary, calls = UnaryAnswers(unread), Calls()
    for _ in range(5):
        unary.add("slow", 10, calls)
    with pytest.raises(OverloadedError, match="answers wait for this client to read them") as full:
        unary.add("slow", 10, calls)
    assert full.value.retry_after_s is not None
    unary.check("polite")
    unary.add("polite", 50, calls)
    assert unread.total_bytes == MAX_BYTES


def test_what_has_no_room_is_refused_before_it_is_run(unread: UnreadAnswers) -> None:
    unary = UnaryAnswers(unread)
    unary.add("slow", 60, Calls())
    with pytest.raises(OverloadedError):
        unary.check("slow")


def test_whoever_has_read_everything_is_given_any_answer(unread: UnreadAnswers) -> None:
    unary, calls = UnaryAnswers(unread), Calls()
    unary.add("big", 10 * MAX_BYTES, calls)
    unary.add("polite", 10, calls)
    calls.end()
    assert unread.total_bytes == 0
    unary.add("big", 10 * MAX_BYTES, calls)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 60), st.booleans())))
def test_no_more_is_kept_than_the_bound_and_an_answer_a_client(
    answers: list[tuple[str, int, bool]],
) -> None:
    unread = UnreadAnswers(MAX_BYTES)
    unary = UnaryAnswers(unread)
    open_calls: list[Calls] = []
    for client, size_bytes, ends in answers:
        call = Calls()
        try:
            unary.add(client, size_bytes, call)
        except OverloadedError:
            continue
        open_calls.append(call)
        assert unread.total_bytes <= MAX_BYTES + 3 * 60
        if ends:
            open_calls.pop(0).end()
    for call in open_calls:
        call.end()
    assert unread.total_bytes == 0
    for client in "abc":
        unary.check(client)
