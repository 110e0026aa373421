"""Qualification in a child process: whatever a model does to it, the node goes on."""

import os
import signal
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import numpy as np
import onnx_models
import psutil
import pytest

from farm.core.errors import ModelUnavailableError
from farm.core.tensors import Datatype, TensorSpec
from farm.node.qualifier import Qualifier, Trial

# A child that answers jobs through the real one, except for models that are named after
# what they do to the process that opens them.
INTERPRETER = """#!/bin/sh
while read -r job; do
    case "$job" in
        *segfault.onnx*) kill -SEGV $$ ;;
        *exit.onnx*) exit 7 ;;
        *hang.onnx*) kill -STOP $$ ;;
        *killed-always.onnx*) kill -KILL $$ ;;
        *killed.onnx*)
            if [ ! -e "{marker}" ]; then touch "{marker}"; kill -KILL $$; fi
            printf '%s\\n' "$job" | "{python}" "$@" ;;
        *) printf '%s\\n' "$job" | "{python}" "$@" ;;
    esac
done
"""


@pytest.fixture
def interpreter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put `INTERPRETER` in the place of Python."""
    path = tmp_path / "python"
    path.write_text(INTERPRETER.format(python=sys.executable, marker=tmp_path / "killed-once"))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(sys, "executable", str(path))


def make_qualifier(timeout_s: float = 60.0) -> Qualifier:
    return Qualifier(threads=1, timeout_s=timeout_s, curve_budget_s=5.0)


@pytest.fixture
def qualifier() -> Iterator[Qualifier]:
    made = make_qualifier()
    yield made
    made.close()


def children() -> list[psutil.Process]:
    """Children of this process that live."""
    return [
        child
        for child in psutil.Process().children(recursive=True)
        if child.status() != psutil.STATUS_ZOMBIE
    ]


def doubles(folder: Path, name: str = "model.onnx") -> Path:
    return onnx_models.write(folder, onnx_models.doubles(), name)


def trial(path: Path, *goldens: Path) -> Trial:
    return Trial(path=path, folder=path.parent, goldens=goldens)


def test_a_good_model_gets_a_report(tmp_path: Path, qualifier: Qualifier) -> None:
    ones = np.ones((1, 3), np.float32)
    golden = tmp_path / "g.npz"
    np.savez(golden, **{"input:x": ones, "output:y": ones * 2, "rtol": 0.0, "atol": 0.0})
    report = qualifier.qualify(trial(doubles(tmp_path), golden), max_batch_size=4)
    assert report.inputs == (TensorSpec(name="x", datatype=Datatype.FP32, shape=(-1, 3)),)
    assert report.outputs == (TensorSpec(name="y", datatype=Datatype.FP32, shape=(-1, 3)),)
    assert report.max_batch_size == 4
    assert report.goldens_checked == 1


def test_one_child_serves_a_run_of_models_and_close_ends_it(
    tmp_path: Path, qualifier: Qualifier
) -> None:
    before = children()
    qualifier.qualify(trial(doubles(tmp_path)), max_batch_size=None)
    (child,) = [c for c in children() if c not in before]
    with pytest.raises(ModelUnavailableError, match="does not accept the model"):
        qualifier.qualify(
            trial(onnx_models.write(tmp_path, b"garbage", "bad.onnx")), max_batch_size=None
        )
    report = qualifier.qualify(
        trial(onnx_models.write(tmp_path, onnx_models.fixed_rows())), max_batch_size=None
    )
    assert report.max_batch_size == 0
    assert [c for c in children() if c not in before] == [child]
    qualifier.close(idle_s=3600.0)
    assert child.is_running()
    qualifier.close()
    assert not child.is_running()
    qualifier.close()


@pytest.mark.usefixtures("interpreter")
@pytest.mark.parametrize(
    ("name", "how"), [("segfault.onnx", "SIGSEGV"), ("exit.onnx", "exit code 7")]
)
def test_a_model_that_kills_the_child_is_refused_and_the_next_one_is_tried(
    tmp_path: Path, qualifier: Qualifier, name: str, how: str
) -> None:
    with pytest.raises(ModelUnavailableError, match=rf"killed the trial process \({how}\)"):
        qualifier.qualify(trial(doubles(tmp_path, name)), max_batch_size=None)
    report = qualifier.qualify(trial(doubles(tmp_path)), max_batch_size=1)
    assert report.max_batch_size == 1


@pytest.mark.usefixtures("interpreter")
def test_a_child_that_somebody_else_killed_is_replaced(
    tmp_path: Path, qualifier: Qualifier
) -> None:
    report = qualifier.qualify(trial(doubles(tmp_path, "killed.onnx")), max_batch_size=1)
    assert report.max_batch_size == 1
    with pytest.raises(ModelUnavailableError, match="perhaps for lack of memory"):
        qualifier.qualify(trial(doubles(tmp_path, "killed-always.onnx")), max_batch_size=1)


@pytest.mark.usefixtures("interpreter")
def test_a_model_that_never_returns_is_given_up(tmp_path: Path) -> None:
    before = children()
    qualifier = make_qualifier(timeout_s=0.2)
    started = monotonic()
    with pytest.raises(ModelUnavailableError, match=r"did not finish a trial run within 0\.2 s"):
        qualifier.qualify(trial(doubles(tmp_path, "hang.onnx")), max_batch_size=None)
    assert monotonic() - started < 10.0
    assert [c for c in children() if c not in before] == []


def test_what_a_golden_says_is_the_refusal(tmp_path: Path, qualifier: Qualifier) -> None:
    ones = np.ones((1, 3), np.float32)
    golden = tmp_path / "g.npz"
    np.savez(golden, **{"input:x": ones, "output:y": ones, "rtol": 0.0, "atol": 0.0})
    with pytest.raises(
        ModelUnavailableError, match=r"golden 'g.npz': output 'y' differs by up to 1"
    ):
        qualifier.qualify(trial(doubles(tmp_path), golden), max_batch_size=None)


def test_a_child_that_died_between_models_is_replaced(tmp_path: Path, qualifier: Qualifier) -> None:
    before = children()
    qualifier.qualify(trial(doubles(tmp_path)), max_batch_size=None)
    (child,) = [c for c in children() if c not in before]
    os.kill(child.pid, signal.SIGKILL)
    # Left as a zombie: to reap it is the qualifier's own business.
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert qualifier.qualify(trial(doubles(tmp_path)), max_batch_size=1).max_batch_size == 1


def test_a_defect_of_the_trial_is_not_called_a_crash_of_the_model(
    tmp_path: Path, qualifier: Qualifier
) -> None:
    none = np.ones((0, 3), np.float32)
    golden = tmp_path / "g.npz"
    np.savez(golden, **{"input:x": none, "output:y": none, "rtol": 0.0, "atol": 0.0})
    try:
        qualifier.qualify(trial(doubles(tmp_path), golden), max_batch_size=None)
    except ModelUnavailableError as error:
        assert "killed the trial process" not in error.message


def test_a_child_that_was_started_early_is_the_one_that_is_used(
    tmp_path: Path, qualifier: Qualifier
) -> None:
    before = children()
    qualifier.start()
    (child,) = [c for c in children() if c not in before]
    qualifier.start()
    qualifier.qualify(trial(doubles(tmp_path)), max_batch_size=None)
    assert [c for c in children() if c not in before] == [child]


def test_a_child_is_replaced_after_many_models(
    tmp_path: Path, qualifier: Qualifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("farm.node.qualifier._JOBS_PER_CHILD", 2)
    before = children()
    seen = []
    for _ in range(5):
        qualifier.qualify(trial(doubles(tmp_path)), max_batch_size=1)
        (child,) = [c for c in children() if c not in before]
        seen.append(child.pid)
    first, second, third = seen[0], seen[2], seen[4]
    assert seen == [first, first, second, second, third]
    assert len({first, second, third}) == 3


def test_a_model_is_measured_in_the_child(tmp_path: Path, qualifier: Qualifier) -> None:
    for threads in (2, 1):
        curve = qualifier.measure(trial(doubles(tmp_path)), max_rows=4, threads=threads, capacity=2)
        assert curve is not None
        assert curve.threads == threads
        assert [rows for rows, _ in curve.points] == [1, 2, 4]


@pytest.mark.usefixtures("interpreter")
def test_a_model_that_kills_the_child_while_it_is_measured_is_an_error(
    tmp_path: Path, qualifier: Qualifier
) -> None:
    with pytest.raises(ModelUnavailableError, match="killed the trial process"):
        qualifier.measure(
            trial(doubles(tmp_path, "segfault.onnx")), max_rows=4, threads=1, capacity=1
        )
