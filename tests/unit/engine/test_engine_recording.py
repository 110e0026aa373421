"""An engine with a recorder: what happened is in the trace, and it ends in order."""

import json
from pathlib import Path
from threading import Event

import pytest
from fake_pool import FakePool
from little_farm import Notes, accounting
from structlog.testing import capture_logs

from farm.core.clock import SystemClock
from farm.core.errors import ModelNotFoundError
from farm.core.models import ModelKey
from farm.core.requests import InferenceRequest
from farm.engine import trace
from farm.engine.engine import Engine
from farm.engine.trace import TraceRecorder
from farm.scheduling.limits import SchedulingLimits
from farm.scheduling.machine import Machine
from farm.scheduling.placement import LeastExpectedCompletion


async def test_a_request_and_its_reply_are_recorded(tmp_path: Path) -> None:
    file = tmp_path / "run.jsonl"
    recorder = TraceRecorder(file)
    engine = Engine(
        machine=Machine(limits=SchedulingLimits(), policy=LeastExpectedCompletion()),
        pool=FakePool(["a"]),
        clock=SystemClock(),
        observer=Notes(),
        accounting=accounting(),
        recorder=recorder,
    )
    request = InferenceRequest(
        id=7, model=ModelKey("none", 1), inputs=(), rows=1, arrived_at=0.0, client="10.0.0.1"
    )
    with pytest.raises(ModelNotFoundError):
        await engine.submit(request)
    await engine.close()
    recorder.close()
    _, asked, replied = (json.loads(line) for line in file.read_text().splitlines())
    assert (asked["kind"], asked["id"], asked["model"]) == ("request", 7, "none")
    assert (replied["kind"], replied["id"], replied["code"]) == ("reply", 7, "model_not_found")


def test_a_farm_that_never_began_leaves_no_trace(tmp_path: Path) -> None:
    file = tmp_path / "run.jsonl"
    TraceRecorder(file).close()
    TraceRecorder(file).close()
    assert not file.exists()


def test_a_disk_that_hangs_does_not_keep_the_gateway_from_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = Event()
    monkeypatch.setattr(trace, "_CLOSE_S", 0.05)
    monkeypatch.setattr(trace, "_MAX_WAITING", 1)
    monkeypatch.setattr(TraceRecorder, "_write", lambda _: free.wait())
    recorder = TraceRecorder(tmp_path / "run.jsonl")
    with capture_logs() as logs:
        recorder.close()
    free.set()
    assert "did not take it" in logs[0]["reason"]
    recorder._thread.join()
    recorder._file.close()
