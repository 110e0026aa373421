"""A node that is short of memory: what asks for too much fails, what is idle goes back."""

import pickle
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx_models
import psutil
import pytest
from onnx import TensorProto, helper

from farm.core.actor_messages import PROTOCOL
from farm.core.errors import ErrorCode
from farm.core.models import ModelArtifact
from farm.node import isolation, probes
from farm.node.service import NodeService
from farm.node.settings import NodeSettings
from farm.node.shortage import Shortage

MIB = 1 << 20
# Ones that a request asks for, and what two tensors of them take.
MANY = 16 * MIB
TAKEN_BYTES = 2 * 4 * MANY


def hungry() -> bytes:
    """n INT64 [1] to the sum of exp(0) over n elements."""
    return onnx_models.model(
        [
            helper.make_node("ConstantOfShape", ["n"], ["zeros"]),
            helper.make_node("Exp", ["zeros"], ["ones"]),
            helper.make_node("ReduceSum", ["ones"], ["total"], keepdims=0),
            helper.make_node("Reshape", ["total", "one"], ["y"]),
        ],
        [("n", TensorProto.INT64, [1])],
        [("y", TensorProto.FLOAT, [1])],
        [onnx_models.constant("one", np.array([1], dtype=np.int64))],
    )


@pytest.fixture
def service(tmp_path: Path) -> Iterator[NodeService]:
    limits = resource.getrlimit(resource.RLIMIT_DATA)
    made = NodeService(NodeSettings(node_id="pi", cache_dir=tmp_path / "cache"))
    try:
        yield made
    finally:
        made.close()
        resource.setrlimit(resource.RLIMIT_DATA, limits)


@pytest.fixture
def loaded(service: NodeService) -> ModelArtifact:
    data = hungry()
    wanted = onnx_models.artifact({"model.onnx": data}, max_batch_size=0)
    service.load(wanted, {onnx_models.sha256(data): data})
    return wanted


def asked(service: NodeService, artifact: ModelArtifact, elements: int) -> tuple[Any, ...]:
    head = (PROTOCOL, "tiny", artifact.digest, (), (("n", "INT64", (1,)),), "g-1", 1, False)
    raw = np.array([elements], dtype=np.int64).tobytes()
    reply: tuple[Any, ...] = pickle.loads(service.infer(pickle.dumps(head), raw))  # noqa: S301
    return reply


def resident_bytes() -> int:
    return psutil.Process().memory_info().rss


def test_a_request_that_wants_more_than_there_is_fails_alone(
    service: NodeService, loaded: ModelArtifact
) -> None:
    vitals = service.vitals()
    reply = asked(service, loaded, vitals.memory_available_bytes // 4)
    assert reply[0] == "failed"
    assert reply[3] == ErrorCode.EXECUTION_FAILED
    assert "memory" in reply[4] or "alloc" in reply[4]
    assert asked(service, loaded, 5)[0] == "ok"


def test_what_a_large_request_left_behind_goes_back_when_memory_is_short(
    service: NodeService, loaded: ModelArtifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert asked(service, loaded, MANY)[0] == "ok"
    service.vitals()
    full = resident_bytes()
    _, available = probes.memory_bytes()
    monkeypatch.setattr(probes, "memory_bytes", lambda: (10 * available, available))
    service.vitals()
    assert resident_bytes() < full - TAKEN_BYTES // 2
    assert asked(service, loaded, 5)[0] == "ok"
    assert loaded.digest in service.vitals().digests


def disposable() -> list[psutil.Process]:
    """Return the children that wait for suspects, or run them."""
    children = psutil.Process().children()
    return [child for child in children if "farm.node.disposable" in child.cmdline()]


def test_a_child_waits_for_suspects_where_models_are_and_memory_is_plenty(
    service: NodeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    total, plenty, little = 1000 * MIB, 300 * MIB, 200 * MIB
    monkeypatch.setattr(isolation, "_IDLE_S", 0.0)
    monkeypatch.setattr(probes, "memory_bytes", lambda: (total, plenty))
    service.vitals()
    assert disposable() == []
    data = hungry()
    wanted = onnx_models.artifact({"model.onnx": data}, max_batch_size=0)
    service.load(wanted, {onnx_models.sha256(data): data})
    service.vitals()
    assert len(disposable()) == 1
    monkeypatch.setattr(probes, "memory_bytes", lambda: (total, little))
    service.vitals()
    assert disposable() == []


def test_sessions_are_not_closed_at_every_heartbeat() -> None:
    now = 100.0
    shortage = Shortage(clock=lambda: now)
    assert not shortage.begins(total_bytes=100, available_bytes=50)
    assert shortage.begins(total_bytes=100, available_bytes=5)
    now += 10
    assert not shortage.begins(total_bytes=100, available_bytes=5)
    now += 30
    assert not shortage.begins(total_bytes=100, available_bytes=50)
    assert shortage.begins(total_bytes=100, available_bytes=5)
