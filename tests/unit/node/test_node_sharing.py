"""One node, several gateways: who runs, who waits, who is told Busy; cordons and probes."""

import pickle
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Event, Semaphore
from typing import Any

import numpy as np
import onnx_models
import pytest

from farm.core.actor_messages import PROTOCOL, CallHead
from farm.core.errors import InternalError, ModelUnavailableError
from farm.core.models import ModelArtifact
from farm.node import rows
from farm.node import service as node_service
from farm.node.service import NodeService
from farm.node.settings import NodeSettings

WAIT_S = 10.0
ONES = np.ones((1, 3), np.float32)


def make_service(folder: Path, **settings: int) -> NodeService:
    return NodeService(NodeSettings(node_id="pi", cache_dir=folder / "cache", **settings))


@pytest.fixture
def service(tmp_path: Path) -> Iterator[NodeService]:
    """A node of two threads, one a batch, where one more batch may wait behind each."""
    made = make_service(tmp_path, slots=2, lookahead=1)
    yield made
    made.close()


@pytest.fixture
def model(service: NodeService) -> ModelArtifact:
    data = onnx_models.doubles()
    artifact = onnx_models.artifact({"model.onnx": data}, max_batch_size=4)
    service.load(artifact, {artifact.files[0].sha256: data})
    return artifact


class Gate:
    """Holds every batch at its node until the test lets it go."""

    def __init__(self) -> None:
        self.open = Semaphore(0)
        self.began: list[str] = []
        self._run = node_service.run_call

    def __call__(self, session: Any, head: CallHead, raws: Any) -> Any:
        self.began.append(head.call_id)
        assert self.open.acquire(timeout=WAIT_S)
        return self._run(session, head, raws)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    made = Gate()
    monkeypatch.setattr(node_service, "run_call", made)
    return made


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as made:
        yield made


def infer(service: NodeService, model: ModelArtifact, call_id: str, **choices: int) -> tuple:
    head = CallHead(
        protocol=PROTOCOL,
        model="tiny",
        digest=model.digest,
        rows=(1,),
        inputs=(("x", "FP32", (1, 3)),),
        call_id=call_id,
        **choices,
    )
    return pickle.loads(service.infer(pickle.dumps(tuple(head)), ONES.tobytes()))  # noqa: S301


def poll(condition: Any) -> None:
    tick = Event()
    for _ in range(int(WAIT_S / 0.005)):
        if condition():
            return
        tick.wait(0.005)
    raise AssertionError("the condition never came true")


def test_two_gateways_share_a_node_and_the_one_too_many_is_told_at_once(
    service: NodeService, model: ModelArtifact, gate: Gate, threads: ThreadPoolExecutor
) -> None:
    # Both gateways count their batches from 1.
    sent: list[Future[tuple]] = []
    for call_id in ("first-1", "second-1"):
        sent.append(threads.submit(infer, service, model, call_id))
        poll(lambda call_id=call_id: call_id in gate.began)
    sent += [threads.submit(infer, service, model, name) for name in ("first-2", "second-2")]
    poll(lambda: len(service._capacity._waiting) == 2)
    before = service.vitals()
    assert before.slots_busy == 2

    busy = infer(service, model, "second-3")
    assert (busy[0], busy[2], busy[3], busy[5]) == (
        "failed", service.incarnation, "node_busy", True,
    )  # fmt: skip
    assert "try another node" in busy[4]

    for _ in sent:
        gate.open.release()
    replies = [future.result(WAIT_S) for future in sent]
    assert [reply[0] for reply in replies] == ["ok"] * 4
    after = service.vitals()
    # A batch that was sent away is no failure of the node's, and no work of its.
    assert (after.batches_total, after.failures_total, after.slots_busy) == (4, 0, 0)


def test_a_waiting_batch_that_is_cancelled_does_not_run(
    service: NodeService, model: ModelArtifact, gate: Gate, threads: ThreadPoolExecutor
) -> None:
    wide = threads.submit(infer, service, model, "first-1", threads=2)
    poll(lambda: gate.began)
    waiting = threads.submit(infer, service, model, "second-1")
    poll(lambda: service._capacity._waiting)
    service.cancel("second-1")
    gate.open.release()
    assert wide.result(WAIT_S)[0] == "ok"
    assert waiting.result(WAIT_S)[3] == "cancelled"
    assert gate.began == ["first-1"]


def test_an_isolated_batch_is_answered_like_any_other(
    service: NodeService, model: ModelArtifact
) -> None:
    plain = infer(service, model, "first-1")
    isolated = infer(service, model, "first-2", isolated=True)
    assert isolated[0] == "ok"
    assert isolated[4] == plain[4]


def test_suspects_take_turns_and_hold_up_nobody(
    service: NodeService,
    model: ModelArtifact,
    threads: ThreadPoolExecutor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prepared, go_on = Event(), Event()
    prepare = service._isolation.prepare

    def slowly(*arguments: Any, **more: Any) -> None:
        prepared.set()
        assert go_on.wait(WAIT_S)
        prepare(*arguments, **more)

    monkeypatch.setattr(service._isolation, "prepare", slowly)
    first = threads.submit(infer, service, model, "first-1", isolated=True)
    assert prepared.wait(WAIT_S)
    second = threads.submit(infer, service, model, "second-1", isolated=True)
    poll(lambda: service._turns._waiting)
    assert infer(service, model, "second-2", isolated=True)[3] == "node_busy"
    # While the child is being started nobody has its threads.
    assert infer(service, model, "first-2", threads=2)[0] == "ok"
    assert not first.done()
    # But the node is not idle, as another gateway's `drain` must know.
    assert service.vitals().slots_busy == 1
    service.cancel("second-1")
    go_on.set()
    assert first.result(WAIT_S)[0] == "ok"
    assert second.result(WAIT_S)[3] == "cancelled"


def test_an_isolated_batch_that_is_cancelled_once_its_model_is_open_does_not_run(
    service: NodeService, model: ModelArtifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare = service._isolation.prepare

    def cancelled_meanwhile(*arguments: Any, **more: Any) -> None:
        prepare(*arguments, **more)
        service.cancel("first-1")

    monkeypatch.setattr(service._isolation, "prepare", cancelled_meanwhile)
    assert infer(service, model, "first-1", isolated=True)[3] == "cancelled"
    assert infer(service, model, "first-2", isolated=True)[0] == "ok"


def test_an_isolated_batch_of_a_model_that_is_not_here_may_be_elsewhere(
    service: NodeService, model: ModelArtifact
) -> None:
    service.unload(model.digest)
    reply = infer(service, model, "first-1", isolated=True)
    assert (reply[3], reply[5]) == ("model_unavailable", True)


# -- probes ---------------------------------------------------------------------------


def test_a_probe_runs_the_model(service: NodeService, model: ModelArtifact) -> None:
    service.probe(model.digest)
    service.probe("")
    with pytest.raises(ModelUnavailableError, match="not loaded"):
        service.probe("0" * 64)


def test_a_probe_waits_for_its_turn(
    service: NodeService, model: ModelArtifact, gate: Gate, threads: ThreadPoolExecutor
) -> None:
    wide = threads.submit(infer, service, model, "first-1", threads=2)
    poll(lambda: gate.began)
    probe = threads.submit(service.probe, model.digest)
    poll(lambda: service._capacity._waiting)
    assert not probe.done()
    gate.open.release()
    assert wide.result(WAIT_S)[0] == "ok"
    probe.result(WAIT_S)


def test_a_model_that_sample_rows_do_not_suit_is_probed_all_the_same(
    service: NodeService, model: ModelArtifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsuitable(*_: object) -> dict[str, Any]:
        return {"x": np.ones((1, 4), np.float32)}

    monkeypatch.setattr(service._models, "sample", unsuitable)
    service.probe(model.digest)


def test_a_model_whose_rows_are_too_large_to_try_is_probed_all_the_same(
    service: NodeService, model: ModelArtifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "MAX_SAMPLE_BYTES", 1)
    service.probe(model.digest)


# -- cordons --------------------------------------------------------------------------


def test_a_cordon_outlives_the_process(tmp_path: Path) -> None:
    first = make_service(tmp_path)
    assert not first.vitals().cordoned
    first.set_cordon(cordoned=True)
    assert first.vitals().cordoned
    second = make_service(tmp_path)
    assert second.cordoned
    assert second.vitals().cordoned
    for _ in range(2):
        second.set_cordon(cordoned=False)
    assert not make_service(tmp_path).cordoned


def test_a_cordon_that_cannot_be_kept_is_not_drawn(
    service: NodeService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "touch", full)
    with pytest.raises(InternalError, match="No space left on device"):
        service.set_cordon(cordoned=True)
    assert not service.cordoned


def test_a_cordoned_node_runs_what_it_is_sent(service: NodeService, model: ModelArtifact) -> None:
    service.set_cordon(cordoned=True)
    assert infer(service, model, "first-1")[0] == "ok"
