"""What a pool does with actors of the protocol before; no Ray is started."""

from pathlib import Path
from typing import Any

import pytest

from farm.cluster.calls import ActorCalls
from farm.cluster.pool import RayWorkerPool
from farm.core.errors import ErrorCode
from farm.core.models import ModelKey
from farm.core.requests import Batch, BatchFailed, InferenceRequest
from farm.core.tensors import Datatype, Tensor
from farm.node.settings import NodeSettings


class Method:
    """A method of an actor that nothing answers."""

    def options(self, **_: object) -> "Method":
        return self

    async def remote(self, *_: object) -> Any:
        raise AssertionError("nothing should have been sent")


class OlderActor:
    """What actors of protocol 1 understand."""

    infer = describe = cancel = vitals = missing_files = Method()
    receive = load = measure = unload = Method()


class Actor(OlderActor):
    probe = set_cordon = Method()


def suspect() -> Batch:
    tensor = Tensor(name="x", datatype=Datatype.FP32, shape=(1,), raw=bytes(4))
    key = ModelKey("tiny", 1)
    request = InferenceRequest(id=1, model=key, inputs=(tensor,), rows=1, arrived_at=0.0)
    return Batch(
        id=1, model=key, digest="d", members=(request,), rows=1, batched=True, formed_at=0.0,
        trigger="free_slot", isolated=True,
    )  # fmt: skip


async def test_an_older_node_is_given_no_suspects_and_nobody_is_blamed(tmp_path: Path) -> None:
    pool = RayWorkerPool([NodeSettings(node_id="a", cache_dir=tmp_path)])
    pool._supervisors["a"].calls = ActorCalls(OlderActor())
    outcome = await pool.execute(suspect(), "a")
    assert isinstance(outcome, BatchFailed)
    assert (outcome.code, outcome.retryable) == (ErrorCode.NODE_BUSY, True)
    assert "upgrade the node" in outcome.message


@pytest.mark.parametrize(("actor", "isolates"), [(OlderActor, False), (Actor, True)])
def test_who_runs_suspects_is_told_by_what_an_actor_understands(
    actor: type[Any], isolates: bool
) -> None:
    assert ActorCalls(actor()).isolates is isolates
