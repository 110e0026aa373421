"""What a pool does with actors of the protocol before; no Ray is started."""

from pathlib import Path
from typing import Any

import pytest

from farm.cluster.actor import NodeActor
from farm.cluster.calls import ActorCalls
from farm.cluster.pool import RayWorkerPool
from farm.core.actor_messages import decode_curves, encode_curves
from farm.core.errors import ErrorCode, UnsupportedError
from farm.core.models import LatencyCurve, ModelKey
from farm.core.requests import Batch, BatchFailed, InferenceRequest
from farm.core.tensors import Datatype, Tensor
from farm.node.service import NodeService
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
    probe = set_cordon = measure_split = Method()


class Measuring(Method):
    """Measures what it is asked for, and remembers it."""

    def __init__(self, *curves: LatencyCurve) -> None:
        self.curves = curves
        self.asked: list[tuple[object, ...]] = []

    async def remote(self, *arguments: object) -> Any:
        self.asked.append(arguments)
        return encode_curves(self.curves)


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
    pool._supervisors["a"].calls = ActorCalls(OlderActor(), "a")
    outcome = await pool.execute(suspect(), "a")
    assert isinstance(outcome, BatchFailed)
    assert (outcome.code, outcome.retryable) == (ErrorCode.NODE_BUSY, True)
    assert "upgrade the node" in outcome.message


@pytest.mark.parametrize(("actor", "isolates"), [(OlderActor, False), (Actor, True)])
def test_who_runs_suspects_is_told_by_what_an_actor_understands(
    actor: type[Any], isolates: bool
) -> None:
    assert ActorCalls(actor(), "a").isolates is isolates


ONE, TWO = LatencyCurve(((1, 0.5),), 1), LatencyCurve(((1, 0.3),), 2)


async def test_an_older_node_is_not_loaded(tmp_path: Path) -> None:
    pool = RayWorkerPool([NodeSettings(node_id="a", cache_dir=tmp_path)])
    pool._supervisors["a"].calls = ActorCalls(OlderActor(), "a")
    with pytest.raises(UnsupportedError, match="upgrade the node"):
        await pool.exercise("a", load=0.5, seconds=1.0)


async def test_a_node_is_asked_for_one_split(tmp_path: Path) -> None:
    actor = Actor()
    actor.measure_split = measuring = Measuring(TWO)
    pool = RayWorkerPool([NodeSettings(node_id="a", cache_dir=tmp_path)])
    pool._supervisors["a"].calls = ActorCalls(actor, "a")
    assert await pool.measure("a", "d", 2) == (TWO,)
    assert measuring.asked == [("d", 2)]


async def test_an_older_node_measures_what_it_can_at_once(tmp_path: Path) -> None:
    actor = OlderActor()
    actor.measure = measuring = Measuring(ONE, TWO)
    pool = RayWorkerPool([NodeSettings(node_id="a", cache_dir=tmp_path)])
    pool._supervisors["a"].calls = ActorCalls(actor, "a")
    assert await pool.measure("a", "d", 2) == (ONE, TWO)
    assert measuring.asked == [("d",)]


def test_an_older_gateway_has_the_default_split_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        NodeService,
        "measure",
        lambda _self, _digest, threads: {0: ONE, 1: ONE, 2: TWO, 4: None}[threads],
    )
    monkeypatch.setattr(NodeService, "expect_models", lambda _: None)
    actor = NodeActor(NodeSettings(node_id="a", cache_dir=tmp_path).to_message())
    assert decode_curves(actor.measure("d")) == (ONE,)
    assert decode_curves(actor.measure_split("d", 2)) == (TWO,)
    assert decode_curves(actor.measure_split("d", 4)) == ()


def test_an_older_node_takes_what_it_knows_of_newer_settings(tmp_path: Path) -> None:
    settings = NodeSettings(node_id="a", cache_dir=tmp_path, slots=2, cores=(2, 3))
    newer = settings.to_message() | {"unheard_of": 1}
    assert NodeSettings.of_message(newer) == settings


def test_a_newer_node_takes_settings_of_an_older_gateway(tmp_path: Path) -> None:
    settings = NodeSettings(node_id="a", cache_dir=tmp_path, slots=2)
    older = {key: settings.to_message()[key] for key in ("node_id", "cache_dir", "slots")}
    assert NodeSettings.of_message(older) == settings
