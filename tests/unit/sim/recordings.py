"""Traces for tests: what the recorder writes of a little run, and files made by hand."""

import json
from pathlib import Path
from typing import Any

from farm.core.models import DynamicBatching, LatencyCurve, ModelKey, ModelSpec
from farm.core.nodes import NodeProfile
from farm.core.requests import (
    BatchCompleted,
    BatchTiming,
    InferenceRequest,
)
from farm.core.tensors import Datatype, Tensor, TensorSpec
from farm.engine.trace import TraceRecorder
from farm.scheduling.effects import DispatchBatch
from farm.scheduling.events import (
    BatchFinished,
    Event,
    ModelChanged,
    NodeChanged,
    NodeJoined,
    NodeLost,
    RequestArrived,
)
from farm.scheduling.limits import SchedulingLimits
from farm.scheduling.machine import Machine
from farm.scheduling.placement import LeastExpectedCompletion

KEY = ModelKey("net", 3)
DIGEST = "d1"
CURVE = LatencyCurve(((1, 0.01), (4, 0.02)))
# What the recorded node really took for a row, and what came on top of it.
COMPUTE_S = 0.012
OVERHEAD_S = 0.002

X = TensorSpec(name="x", datatype=Datatype.FP32, shape=(-1, 2))
SPEC = ModelSpec(
    key=KEY,
    digest=DIGEST,
    inputs=(X,),
    outputs=(X,),
    max_batch_size=4,
    batching=DynamicBatching(preferred_batch_sizes=(2, 4)),
)


def joined(node_id: str, incarnation: str = "1") -> NodeJoined:
    profile = NodeProfile(node_id=node_id, incarnation=incarnation, slots=2, cores=4, board="bench")
    return NodeJoined(profile=profile, ready={DIGEST: None})


class RecordedRun:
    """A machine over one node, driven by hand, with a recorder that listens."""

    def __init__(self, file: Path) -> None:
        self.recorder = TraceRecorder(file)
        self._machine = Machine(limits=SchedulingLimits(), policy=LeastExpectedCompletion())
        self._batches: list[DispatchBatch] = []

    def tell(self, now: float, *events: Event) -> None:
        effects = self._machine.handle_all(events, now)
        self._batches += [effect for effect in effects if isinstance(effect, DispatchBatch)]
        self.recorder.note(events, effects, now)

    def request(self, id_: int, now: float, *, client: str = "lab") -> None:
        x = Tensor(name="x", datatype=Datatype.FP32, shape=(1, 2), raw=bytes(8))
        request = InferenceRequest(
            id=id_,
            model=KEY,
            inputs=(x,),
            rows=1,
            arrived_at=now,
            priority=1,
            deadline=now + 5,
            client=client,
        )
        self.tell(now, RequestArrived(request))

    def finish(self, now: float) -> None:
        """Let the batch that was sent first come back."""
        sent = self._batches.pop(0)
        y = Tensor(name="x", datatype=Datatype.FP32, shape=(1, 2), raw=bytes(8))
        infer_ns = round(COMPUTE_S * 1e9)
        done = BatchCompleted(
            batch_id=sent.batch.id,
            node_id=sent.placement.node_id,
            incarnation="1",
            outputs=((y,),) * len(sent.batch.members),
            timing=BatchTiming(input_ns=0, infer_ns=infer_ns, output_ns=0),
        )
        self.tell(now, BatchFinished(done))


def record(file: Path, *, requests: int = 20) -> None:
    """Record a run of one request after the other, in the midst of which a node goes away."""
    run = RecordedRun(file)
    run.tell(100.0, ModelChanged(KEY, SPEC), joined("a"), joined("b"))
    run.tell(100.5, NodeChanged(node_id="a", ready={DIGEST: CURVE}))
    run.tell(100.5, NodeChanged(node_id="b", ready={DIGEST: CURVE}))
    run.tell(100.6, NodeChanged(node_id="b", cordoned=True))
    for number in range(requests):
        at = 101.0 + number * 0.1
        run.request(number + 1, at)
        run.finish(at + COMPUTE_S + OVERHEAD_S)
    run.tell(110.0, NodeLost(node_id="a", reason="pulled"))
    run.tell(112.0, joined("a", "2"))
    run.recorder.close()


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def rewrite(file: Path, content: list[dict[str, Any]]) -> None:
    text = "".join(json.dumps(line) + "\n" for line in content)
    file.write_text(text, encoding="utf-8")
