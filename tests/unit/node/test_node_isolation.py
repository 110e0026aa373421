"""Suspects in a disposable child process: whatever they do to it, the node goes on."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread, Timer

import numpy as np
import onnx_models
import psutil
import pytest

from farm.core.actor_messages import PROTOCOL, CallHead
from farm.core.errors import (
    ExecutionFailedError,
    FarmError,
    InternalError,
    InvalidRequestError,
    ModelUnavailableError,
    RequestCancelledError,
)
from farm.node import isolation
from farm.node.isolation import Isolation

WAIT_S = 30.0

# The child as it is, but for models that are named after what they do to it.
DEADLY = """
import os, pathlib, signal, subprocess, time
from farm.node import disposable

real = disposable.run_call

def run_call(session, head, raws):
    match head.model:
        case "segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        case "exit":
            os._exit(7)
        case "hang":
            os.kill(os.getpid(), signal.SIGSTOP)
        case "sleep":
            (pathlib.Path(__file__).parent / "asleep").touch()
            time.sleep(600)
        case "spawn":
            child = subprocess.Popen(["sleep", "600"])
            raise disposable.FarmError(str(child.pid))
        case "greedy":
            raise MemoryError
        case "defect":
            raise ZeroDivisionError("secret")
    return real(session, head, raws)

disposable.run_call = run_call
disposable.main()
"""

# The child as it is, but with too little memory for its jobs.
FULL = """
from farm.node import disposable

def load(stream):
    stream.peek(1)
    raise MemoryError

disposable.pickle.load = load
disposable.main()
"""


@pytest.fixture
def deadly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put `DEADLY` in the place of the child."""
    script, path = tmp_path / "deadly.py", tmp_path / "python"
    script.write_text(DEADLY)
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}"\n')
    path.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(path))


@pytest.fixture
def isolated() -> Iterator[Isolation]:
    made = Isolation(timeout_s=WAIT_S)
    before = children()
    yield made
    made.close()
    assert children() == before


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return onnx_models.write(tmp_path, onnx_models.doubles(), "model.onnx")


def children() -> list[psutil.Process]:
    """Children of this process that live."""
    return [
        child
        for child in psutil.Process().children(recursive=True)
        if child.status() != psutil.STATUS_ZOMBIE
    ]


ROWS = np.arange(6, dtype=np.float32).reshape(2, 3)


def head(name: str = "tiny", call_id: str = "g-1", shape: tuple[int, ...] = (2, 3)) -> CallHead:
    return CallHead(
        protocol=PROTOCOL,
        model=name,
        digest="d",
        rows=(1, 1),
        inputs=(("x", "FP32", shape),),
        call_id=call_id,
        isolated=True,
    )


def run(isolated: Isolation, model: Path, asked: CallHead | None = None) -> list[bytes]:
    timing, members = isolated.run(model, asked or head(), (ROWS.tobytes(),), threads=1)
    assert timing[1] > 0
    return [raw for ((_, _, _, raw),) in members]


ANSWER = [(ROWS[:1] * 2).tobytes(), (ROWS[1:] * 2).tobytes()]


def test_a_batch_is_answered_as_in_the_actor(isolated: Isolation, model: Path) -> None:
    assert run(isolated, model) == ANSWER


def test_one_child_serves_several_batches_and_ends_when_idle(
    isolated: Isolation, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = children()
    for _ in range(2):
        assert run(isolated, model) == ANSWER
        assert len(children()) == len(before) + 1
    isolated.rest()
    assert len(children()) == len(before) + 1
    monkeypatch.setattr(isolation, "_IDLE_S", 0.0)
    isolated.rest()
    assert children() == before
    assert run(isolated, model) == ANSWER


def test_a_spare_child_waits_for_the_next_batch(isolated: Isolation, model: Path) -> None:
    before = children()
    isolated.rest(spare=True)
    (spare,) = set(children()) - set(before)
    isolated.rest(spare=True)
    assert run(isolated, model) == ANSWER
    assert set(children()) - set(before) == {spare}


def test_a_spare_child_that_has_run_a_batch_makes_room_for_a_fresh_one(
    isolated: Isolation, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(isolation, "_IDLE_S", 0.0)
    monkeypatch.setattr(isolation, "_SPARE_EVERY_S", 0.0)
    before = children()
    assert run(isolated, model) == ANSWER
    (used,) = set(children()) - set(before)
    isolated.rest(spare=True)
    (fresh,) = set(children()) - set(before)
    assert fresh != used
    isolated.rest(spare=True)
    assert set(children()) - set(before) == {fresh}


def test_a_spare_child_ends_when_it_is_not_wanted_any_more(
    isolated: Isolation, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = children()
    isolated.rest(spare=True)
    monkeypatch.setattr(isolation, "_IDLE_S", 0.0)
    isolated.rest()
    assert children() == before


def test_a_spare_child_that_dies_is_not_started_again_at_once(
    isolated: Isolation, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(isolation, "_IDLE_S", 0.0)
    before = children()
    isolated.rest(spare=True)
    (spare,) = set(children()) - set(before)
    spare.kill()
    while spare in children():
        pass
    isolated.rest(spare=True)
    assert children() == before
    assert run(isolated, model) == ANSWER
    isolated.rest()
    monkeypatch.setattr(isolation, "_SPARE_EVERY_S", 0.0)
    isolated.rest(spare=True)
    assert len(children()) == len(before) + 1


def test_no_spare_child_where_there_are_no_processes_to_be_had(
    isolated: Isolation, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = children()
    with monkeypatch.context() as patched:
        patched.setattr(sys, "executable", str(model.parent / "missing"))
        isolated.rest(spare=True)
    assert children() == before
    assert run(isolated, model) == ANSWER


def test_a_model_is_opened_before_it_is_run(isolated: Isolation, model: Path) -> None:
    isolated.prepare(model, head(), threads=1)
    assert run(isolated, model) == ANSWER
    bad = onnx_models.write(model.parent, b"garbage", "bad.onnx")
    with pytest.raises(ModelUnavailableError, match="does not accept the model"):
        isolated.prepare(bad, head(), threads=1)


def test_what_the_model_objects_to_is_told_in_its_words(isolated: Isolation, model: Path) -> None:
    with pytest.raises(InvalidRequestError, match="input 'x' has 24 bytes"):
        run(isolated, model, head(shape=(2, 4)))
    with pytest.raises(ModelUnavailableError, match="does not accept the model"):
        run(isolated, onnx_models.write(model.parent, b"garbage", "bad.onnx"))
    assert run(isolated, model) == ANSWER


@pytest.mark.usefixtures("deadly")
@pytest.mark.parametrize(
    ("name", "how"),
    [("segfault", "SIGSEGV"), ("killed", "SIGKILL"), ("exit", "exit code 7")],
)
def test_a_request_that_kills_the_child_fails_and_says_how(
    isolated: Isolation, model: Path, name: str, how: str
) -> None:
    with pytest.raises(ExecutionFailedError, match=rf"'{name}' killed the process .*\({how}\)"):
        run(isolated, model, head(name))
    assert run(isolated, model) == ANSWER


@pytest.mark.usefixtures("deadly")
def test_a_request_that_hangs_is_given_up(model: Path) -> None:
    impatient = Isolation(timeout_s=2.0)
    before = children()
    with pytest.raises(ExecutionFailedError, match="did not finish this request within 2 s"):
        run(impatient, model, head("hang"))
    assert children() == before


@pytest.mark.usefixtures("deadly")
def test_a_cancelled_batch_ends_while_it_runs(isolated: Isolation, model: Path) -> None:
    errors: list[FarmError] = []

    def caller() -> None:
        try:
            run(isolated, model, head("hang", "g-7"))
        except FarmError as error:
            errors.append(error)

    thread = Thread(target=caller)
    thread.start()
    while not stopped() and thread.is_alive():
        isolated.cancel("g-6")
    isolated.cancel("g-7")
    thread.join(WAIT_S)
    (error,) = errors
    assert isinstance(error, RequestCancelledError)
    assert run(isolated, model) == ANSWER


def test_a_call_that_is_cancelled_between_its_preparation_and_its_run_does_not_run(
    model: Path,
) -> None:
    unwanted: list[str] = []
    isolated = Isolation(timeout_s=WAIT_S, unwanted=unwanted)
    try:
        isolated.prepare(model, head(call_id="g-7"), threads=1)
        before = children()
        unwanted.append("g-7")
        isolated.cancel("g-7")
        with pytest.raises(RequestCancelledError, match="before it ran"):
            run(isolated, model, head(call_id="g-7"))
        assert run(isolated, model, head(call_id="g-8")) == ANSWER
        assert children() == before
    finally:
        isolated.close()


@pytest.mark.usefixtures("deadly")
def test_a_bound_that_comes_too_late_for_the_preparation_does_not_end_the_run(
    isolated: Isolation, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    late: list[Callable[[], None]] = []

    class Held(Timer):
        """Its time is up only when the test says so, even after it was cancelled."""

        def start(self) -> None:
            late.append(lambda: self.function(*self.args))

    monkeypatch.setattr(isolation, "Timer", Held)
    isolated.prepare(model, head("hang", "g-7"), threads=1)
    errors: list[FarmError] = []

    def caller() -> None:
        try:
            run(isolated, model, head("hang", "g-7"))
        except FarmError as error:
            errors.append(error)

    thread = Thread(target=caller)
    thread.start()
    while not stopped():
        assert thread.is_alive()
    preparation, _ = late
    preparation()
    isolated.cancel("g-7")
    thread.join(WAIT_S)
    (error,) = errors
    assert isinstance(error, RequestCancelledError)


def stopped() -> bool:
    return any(child.status() == psutil.STATUS_STOPPED for child in children())


@pytest.mark.usefixtures("deadly")
def test_what_the_child_starts_is_killed_with_it(isolated: Isolation, model: Path) -> None:
    with pytest.raises(FarmError) as caught:
        run(isolated, model, head("spawn"))
    grandchild = psutil.Process(int(caught.value.message))
    isolated.close()
    grandchild.wait(WAIT_S)


@pytest.mark.usefixtures("deadly")
def test_a_lack_of_memory_is_the_requests_and_a_defect_the_nodes(
    isolated: Isolation, model: Path
) -> None:
    with pytest.raises(ExecutionFailedError, match="not enough memory"):
        run(isolated, model, head("greedy"))
    with pytest.raises(FarmError, match="failed with ZeroDivisionError") as caught:
        run(isolated, model, head("defect"))
    assert "secret" not in caught.value.message
    assert run(isolated, model) == ANSWER


def test_a_job_that_the_child_cannot_take_does_not_blame_the_request(
    isolated: Isolation, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script, path = tmp_path / "full.py", tmp_path / "python"
    script.write_text(FULL)
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}"\n')
    path.chmod(0o755)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", str(path))
        with pytest.raises(InternalError, match=r"cannot start a process .*\(exit code 1\)"):
            run(isolated, model)
    assert run(isolated, model) == ANSWER


def test_a_child_that_died_idle_is_replaced(isolated: Isolation, model: Path) -> None:
    before = set(children())
    run(isolated, model)
    (child,) = set(children()) - before
    child.kill()
    # It stays a zombie: its parent has not looked yet.
    while child.status() != psutil.STATUS_ZOMBIE:
        pass
    assert run(isolated, model) == ANSWER


def test_a_node_that_cannot_start_the_child_does_not_blame_the_request(
    isolated: Isolation, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))
    with pytest.raises(InternalError, match=r"cannot start a process .*\(exit code 3\)"):
        run(isolated, model)


@pytest.mark.usefixtures("deadly")
def test_the_child_ends_with_its_parent_even_in_the_middle_of_a_run(
    isolated: Isolation, model: Path
) -> None:
    errors: list[FarmError] = []

    def caller() -> None:
        try:
            run(isolated, model, head("sleep"))
        except FarmError as error:
            errors.append(error)

    thread = Thread(target=caller)
    thread.start()
    while not (model.parent / "asleep").exists():
        assert thread.is_alive()
    child = isolated._child
    assert child is not None
    assert child.stdin is not None
    # As the kernel does when the parent is gone.
    child.stdin.close()
    thread.join(WAIT_S)
    assert "exit code 0" in errors[0].message
