"""Who runs on a node's threads, who waits, and who is sent away at once."""

import queue
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.core.errors import NodeBusyError
from farm.node.capacity import Capacity

WAIT_S = 10.0


@dataclass
class Batch:
    """A batch on a thread of its own, that runs until it is told to end."""

    capacity: Capacity
    threads: int = 1
    patient: bool = False
    began: threading.Event = field(default_factory=threading.Event)
    may_end: threading.Event = field(default_factory=threading.Event)
    refused: list[NodeBusyError] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            with self.capacity.held(self.threads, patient=self.patient):
                self.began.set()
                self.may_end.wait(WAIT_S)
        except NodeBusyError as error:
            self.refused.append(error)

    def runs(self) -> bool:
        return self.began.wait(WAIT_S)

    def end(self) -> None:
        self.may_end.set()
        self._thread.join(WAIT_S)


class Batches:
    """Batches that are all ended when a test is over."""

    def __init__(self, capacity: Capacity) -> None:
        self.capacity = capacity
        self.all: list[Batch] = []

    def run(self, threads: int = 1, **more: bool) -> Batch:
        """Begin a batch that runs at once."""
        batch = self._make(threads, **more)
        assert batch.runs()
        return batch

    def wait(self, threads: int = 1, **more: bool) -> Batch:
        """Begin a batch that has to wait, and return once it does."""
        before = self._waiting()
        batch = self._make(threads, **more)
        poll(lambda: self._waiting() == before + 1)
        assert not batch.began.is_set()
        return batch

    def _make(self, threads: int, **more: bool) -> Batch:
        batch = Batch(self.capacity, threads, **more)
        self.all.append(batch)
        return batch

    def _waiting(self) -> int:
        return len(self.capacity._waiting)


def poll(condition) -> None:
    signal: queue.SimpleQueue[None] = queue.SimpleQueue()
    for _ in range(int(WAIT_S / 0.005)):
        if condition():
            return
        try:
            signal.get(timeout=0.005)
        except queue.Empty:
            continue
    raise AssertionError("the condition never came true")


@pytest.fixture
def batches() -> Iterator[Batches]:
    made = Batches(Capacity(threads=4, lookahead=2))
    yield made
    for batch in made.all:
        batch.may_end.set()
    for batch in made.all:
        batch.end()
    assert made.capacity.running == 0


def test_batches_share_the_threads(batches: Batches) -> None:
    batches.run(1)
    batches.run(2)
    batches.run(1)
    assert batches.capacity.running == 3
    batches.wait(1)


def test_who_waited_longest_is_next(batches: Batches) -> None:
    running = [batches.run(2), batches.run(2)]
    first, second = batches.wait(2), batches.wait(2)
    running[1].end()
    assert first.runs()
    assert not second.began.is_set()
    running[0].end()
    assert second.runs()


def test_nobody_overtakes_a_wide_batch(batches: Batches) -> None:
    running = [batches.run(2), batches.run(2)]
    wide = batches.wait(4)
    narrow = batches.wait(1)
    running[0].end()
    assert not narrow.began.is_set()
    running[1].end()
    assert wide.runs()
    assert not narrow.began.is_set()


def test_a_batch_of_more_threads_than_there_are_takes_all(batches: Batches) -> None:
    batches.run(64)
    batches.wait(1)


def test_beyond_the_look_ahead_a_node_is_busy_at_once(batches: Batches) -> None:
    batches.run(4)
    waiting = [batches.wait(1), batches.wait(1)]
    with (
        pytest.raises(NodeBusyError, match="2 batches wait for its 4 threads already"),
        batches.capacity.held(1),
    ):
        raise AssertionError
    batches.all[0].end()
    assert all(batch.runs() for batch in waiting)


def test_a_patient_caller_waits_all_the_same(batches: Batches) -> None:
    running = batches.run(4)
    batches.wait(1)
    batches.wait(1)
    probe = batches.wait(1, patient=True)
    running.end()
    assert probe.runs()


def test_a_batch_that_fails_gives_its_threads_back(batches: Batches) -> None:
    with pytest.raises(ZeroDivisionError), batches.capacity.held(4):
        raise ZeroDivisionError
    batches.run(4)


@given(st.lists(st.integers(1, 6), max_size=12))
def test_without_look_ahead_a_batch_runs_now_or_is_sent_away(asked: Sequence[int]) -> None:
    capacity = Capacity(threads=4, lookahead=0)
    with ExitStack() as held:
        taken = 0
        for threads in asked:
            fits = taken + min(threads, 4) <= 4
            with nullcontext() if fits else pytest.raises(NodeBusyError):
                held.enter_context(capacity.held(threads))
                taken += min(threads, 4)
    assert capacity.running == 0
