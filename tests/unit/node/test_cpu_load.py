"""The load of a machine, whoever asks."""

from threading import Thread

from hypothesis import given, settings
from hypothesis import strategies as st

from farm.node.cpu_load import CpuLoad


class FakeMachine:
    def __init__(self) -> None:
        self.now = 0.0
        self.busy_s = 100.0
        self.all_s = 1000.0

    def passes(self, seconds: float, load: float) -> None:
        self.now += seconds
        self.all_s += 4 * seconds
        self.busy_s += 4 * seconds * load

    def load(self) -> CpuLoad:
        return CpuLoad(times=lambda: (self.busy_s, self.all_s), clock=lambda: self.now)


def test_the_load_is_that_since_it_was_last_asked_for() -> None:
    machine = FakeMachine()
    load = machine.load()
    machine.passes(1.0, 0.5)
    assert load.read() == 0.5
    machine.passes(1.0, 1.0)
    assert load.read() == 1.0


def test_a_second_gateway_that_asks_at_once_is_told_the_same() -> None:
    machine = FakeMachine()
    load = machine.load()
    machine.passes(1.0, 0.75)
    first = load.read()
    machine.passes(0.001, 0.0)
    assert load.read() == first
    machine.passes(0.999, 0.25)
    assert 0.24 < load.read() < 0.26


def test_every_thread_is_told_the_machines_load() -> None:
    machine = FakeMachine()
    load = machine.load()
    told: list[float] = []
    for _ in range(3):
        machine.passes(1.0, 0.5)
        thread = Thread(target=lambda: told.append(load.read()))
        thread.start()
        thread.join()
    assert told == [0.5, 0.5, 0.5]


@settings(deadline=None)
@given(steps=st.lists(st.tuples(st.floats(0, 5), st.floats(-1, 2))))
def test_it_is_always_a_fraction(steps: list[tuple[float, float]]) -> None:
    machine = FakeMachine()
    load = machine.load()
    for seconds, busy in steps:
        machine.passes(seconds, busy)
        assert 0.0 <= load.read() <= 1.0


def test_this_machine_has_a_load() -> None:
    assert 0.0 <= CpuLoad().read() <= 1.0
