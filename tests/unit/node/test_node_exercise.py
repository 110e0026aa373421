"""A load that is asked for ends with its time, with its node, and with whatever replaces it."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from farm.core.errors import InvalidRequestError
from farm.node import exercise as subject
from farm.node.exercise import MAX_S, Exercise
from farm.node.service import NodeService
from farm.node.settings import NodeSettings

WAIT_S = 20.0


@pytest.fixture
def exercise() -> Iterator[Exercise]:
    exercise = Exercise()
    try:
        yield exercise
    finally:
        exercise.close()


def child_of(exercise: Exercise) -> "subprocess.Popen[bytes]":
    assert exercise._child is not None
    return exercise._child


def test_a_load_is_a_child_process_until_it_is_replaced(exercise: Exercise) -> None:
    exercise.begin(0.01, 60.0)
    first = child_of(exercise)
    assert first.poll() is None
    exercise.begin(0.02, 60.0)
    assert first.returncode == -signal.SIGKILL
    second = child_of(exercise)
    exercise.close()
    assert second.returncode == -signal.SIGKILL
    assert not exercise.under_way


def test_a_load_of_nothing_keeps_the_node_aside_all_the_same(exercise: Exercise) -> None:
    exercise.begin(0.0, 60.0)
    assert exercise.under_way
    assert exercise._child is None
    exercise.begin(0.0, 0.0)
    assert not exercise.under_way


def test_a_child_ends_after_its_time(exercise: Exercise) -> None:
    exercise.begin(0.01, 0.01)
    assert child_of(exercise).wait(WAIT_S) == 0


def test_a_child_ends_with_its_parent() -> None:
    command = [sys.executable, "-m", "farm.node.exercise", "0.01", "600"]
    child = subprocess.Popen(command, stdin=subprocess.PIPE)
    assert child.stdin is not None
    child.stdin.close()
    assert child.wait(WAIT_S) == 0


@pytest.mark.parametrize(
    ("load", "seconds"),
    [(-0.1, 1.0), (1.1, 1.0), (float("nan"), 1.0), (0.5, -1.0), (0.5, MAX_S + 1)],
)
def test_what_no_host_can_do_is_refused(exercise: Exercise, load: float, seconds: float) -> None:
    with pytest.raises(InvalidRequestError, match="a load is from 0 to 1"):
        exercise.begin(load, seconds)
    assert not exercise.under_way


def test_a_core_rests_for_its_share_of_each_period(monkeypatch: pytest.MonkeyPatch) -> None:
    """Worked out on a clock that moves by one product, or by what a rest was asked for."""
    now = busy_s = 0.0

    def clock() -> float:
        nonlocal now, busy_s
        now += 0.001
        busy_s += 0.001
        return now

    class Over(Event):
        def wait(self, timeout: float | None = None) -> bool:
            nonlocal now
            now += max(timeout or 0.0, 0.0)
            if now > 10.0:
                self.set()
            return self.is_set()

    monkeypatch.setattr(subject, "monotonic", clock)
    subject.work(0.25, 0.05, Over())
    assert busy_s / now == pytest.approx(0.25, abs=0.03)


def test_a_node_under_an_exercise_is_cordoned_and_remembers_it_nowhere(tmp_path: Path) -> None:
    service = NodeService(NodeSettings(node_id="a", cache_dir=tmp_path))
    try:
        service.exercise(0.0, 60.0)
        assert service.vitals().cordoned
        service.set_cordon(cordoned=True)
        service.exercise(0.0, 0.0)
        assert service.vitals().cordoned
        service.set_cordon(cordoned=False)
        assert not service.vitals().cordoned
        service.exercise(0.0, 60.0)
    finally:
        service.close()
    assert not (tmp_path / "cordoned").exists()
