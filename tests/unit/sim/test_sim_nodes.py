"""A simulated node and the gateway's side of it, call by call in virtual time."""

from collections.abc import Iterator

import pytest

from farm.core.errors import ErrorCode
from farm.core.models import LatencyCurve, ModelKey, ModelSpec
from farm.core.requests import Batch, BatchFailed, InferenceRequest
from farm.core.tensors import Datatype, Tensor, TensorSpec
from farm.scheduling.effects import ProbeNode
from farm.scheduling.events import BatchFinished, Event, NodeHeard, NodeJoined, NodeLost, NodeProbed
from farm.scheduling.limits import SchedulingLimits
from farm.sim.faults import Faults
from farm.sim.nodes import ISOLATION_S
from farm.sim.pool import LOST_AFTER_S, SimulatedPool
from farm.sim.setup import FaultKind, FaultPlan, LinkPlan, NodePlan, Setup
from farm.sim.timeline import Timeline
from farm.sim.workload import ReplayPlan, Until

KEY = ModelKey("net", 1)
DIGEST = "digest"
RUN_S = 0.1
# Each way; the link itself takes no time for bytes.
BASE_S = 0.001


class Stage:
    """One node with two one-thread slots, a place to wait behind each, and what is heard of it."""

    def __init__(self, *, cv: float = 0.0, bytes_per_s: float = float("inf")) -> None:
        self.timeline = Timeline()
        self.heard: list[tuple[float, Event]] = []
        tensor = TensorSpec(name="x", datatype=Datatype.UINT8, shape=(-1, 4))
        plan = NodePlan(
            node_id="a",
            board="",
            cores=4,
            slots=2,
            threads_per_slot=1,
            lookahead=1,
            curves={DIGEST: LatencyCurve(((1, RUN_S), (2, 2 * RUN_S)))},
            link=LinkPlan(base_s=BASE_S, bytes_per_s=bytes_per_s),
            service_cv=cv,
            restart_s=3.0,
        )
        spec = ModelSpec(
            key=KEY, digest=DIGEST, inputs=(tensor,), outputs=(tensor,), max_batch_size=8
        )
        setup = Setup(
            source="",
            seed=1,
            nodes=(plan,),
            specs=(spec,),
            workload=ReplayPlan((), Until()),
            limits=SchedulingLimits(),
        )
        self.pool = SimulatedPool(setup, timeline=self.timeline, post=self._hear)
        self.node = self.pool.nodes["a"]
        self.pool.start()
        self.timeline.step()

    def _hear(self, event: Event) -> None:
        self.heard.append((self.timeline.now, event))

    def send(self, *ids: int, rows: int = 1, threads: int = 0, isolated: bool = False) -> None:
        for id_ in ids:
            x = Tensor(name="x", datatype=Datatype.UINT8, shape=(rows, 4), raw=bytes(4 * rows))
            member = InferenceRequest(id=id_, model=KEY, inputs=(x,), rows=rows, arrived_at=0.0)
            batch = Batch(
                id=id_,
                model=KEY,
                digest=DIGEST,
                members=(member,),
                rows=rows,
                batched=True,
                formed_at=0.0,
                trigger="free_slot",
                threads=threads,
                isolated=isolated,
            )
            self.pool.execute(batch, "a")

    def befall(self, *faults: tuple[FaultKind, float, float, float]) -> None:
        """Let faults come: what, when, until when, and by which factor."""
        plans = (
            FaultPlan(kind=kind, node_id="a", at_s=at, for_s=until - at, factor=factor)
            for kind, at, until, factor in faults
        )
        Faults(tuple(plans), pool=self.pool, timeline=self.timeline)

    def run_to(self, at: float) -> None:
        self.timeline.at(at, lambda _: None)
        while self.timeline.now < at:
            self.timeline.step()

    def ends(self) -> Iterator[tuple[float, int, ErrorCode | None]]:
        """Yield when each batch came back, which it was and what was wrong with it."""
        for at, event in self.heard:
            if isinstance(event, BatchFinished):
                yield round(at, 6), event.completed.batch_id, None
            elif isinstance(event, BatchFailed):
                yield round(at, 6), event.batch_id, event.code


def test_batches_run_as_their_threads_fit_and_wait_in_order() -> None:
    stage = Stage()
    stage.send(1, 2, 3)
    stage.run_to(0.5)
    assert list(stage.ends()) == [
        (0.102, 1, None),
        (0.102, 2, None),
        (0.202, 3, None),
    ]


def test_a_full_node_is_busy() -> None:
    stage = Stage()
    stage.send(1, 2, 3, 4, 5)
    stage.run_to(0.05)
    assert list(stage.ends()) == [(0.002, 5, ErrorCode.NODE_BUSY)]


def test_a_batch_of_more_threads_waits_for_all_of_them() -> None:
    stage = Stage()
    stage.send(1)
    stage.send(2, threads=2)
    stage.run_to(0.5)
    assert [(id_, at) for at, id_, _ in stage.ends()] == [
        (1, 0.102),
        (2, 0.202),
    ]


def test_a_longer_batch_takes_what_the_curve_says() -> None:
    stage = Stage()
    stage.send(1, rows=2)
    stage.run_to(0.5)
    assert list(stage.ends()) == [(0.202, 1, None)]


def test_bytes_take_their_time_one_message_after_the_other() -> None:
    stage = Stage(bytes_per_s=204.0)
    stage.send(1, 2)
    stage.run_to(5.0)
    # A call of 4 bytes and 200 of overhead takes 1 s there, and so does its reply back.
    times = [round(at - RUN_S - 2 * BASE_S) for at, _, _ in stage.ends()]
    assert times == [2, 3]


def test_noise_keeps_the_mean() -> None:
    stage = Stage(cv=0.2)
    took = []
    for id_ in range(1, 400):
        sent_at = stage.timeline.now
        stage.send(id_)
        while len(stage.node.calls):
            stage.timeline.step()
        took.append(stage.timeline.now - sent_at - 2 * BASE_S)
    mean = sum(took) / len(took)
    assert mean == pytest.approx(RUN_S, rel=0.05)
    deviation = (sum((t - mean) ** 2 for t in took) / len(took)) ** 0.5
    assert deviation / mean == pytest.approx(0.2, rel=0.2)


def test_a_cancelled_batch_that_waits_does_not_run() -> None:
    stage = Stage()
    stage.send(1, 2, 3)
    stage.run_to(0.05)
    stage.pool.cancel(3, "a")
    stage.pool.cancel(1, "a")
    stage.run_to(0.5)
    ends = {id_: code for _, id_, code in stage.ends()}
    assert ends == {1: None, 2: None, 3: ErrorCode.CANCELLED}


def test_a_suspect_batch_pays_for_its_process() -> None:
    stage = Stage()
    stage.send(1, isolated=True)
    stage.run_to(3.0)
    assert list(stage.ends()) == [(round(0.102 + ISOLATION_S, 6), 1, None)]


def test_a_hung_node_answers_when_it_goes_on() -> None:
    stage = Stage()
    stage.send(1)
    stage.run_to(0.05)
    stage.node.hung = True
    stage.send(2)
    stage.run_to(2.0)
    assert list(stage.ends()) == []
    stage.node.thaw()
    stage.run_to(3.0)
    assert [(id_, at) for at, id_, _ in stage.ends()] == [
        (1, 2.001),
        (2, 2.101),
    ]


def test_a_silent_node_is_replaced_and_joins_anew() -> None:
    stage = Stage()
    stage.run_to(1.5)
    stage.node.hung = True
    stage.send(1)
    stage.run_to(20.0)
    assert [code for _, _, code in stage.ends()] == [ErrorCode.NODE_LOST]
    lost_at = next(at for at, event in stage.heard if isinstance(event, NodeLost))
    assert lost_at == pytest.approx(1.0 + LOST_AFTER_S + BASE_S)
    joined = [
        event.profile.incarnation for _, event in stage.heard if isinstance(event, NodeJoined)
    ]
    assert joined == ["a#1", "a#2"]
    assert stage.heard[-1][0] > 19


def test_only_the_incarnation_that_is_meant_is_replaced() -> None:
    stage = Stage()
    stage.pool.replace("a", "a#0", "an old one")
    assert stage.node.up
    stage.pool.replace("a", "a#1", "it hangs")
    assert not stage.node.up


def test_calls_to_a_dead_node_find_it_dead() -> None:
    stage = Stage()
    stage.send(1)
    stage.run_to(0.05)
    stage.pool.kill(stage.node, "it died")
    stage.send(2)
    stage.run_to(1.0)
    assert [(id_, code) for _, id_, code in stage.ends()] == [
        (1, ErrorCode.NODE_LOST),
        (2, ErrorCode.NODE_LOST),
    ]
    stage.pool.revive(stage.node)
    stage.send(3)
    stage.run_to(2.0)
    assert next(id_ for _, id_, code in stage.ends() if code is None) == 3


@pytest.mark.parametrize("digests", [(DIGEST,), ()])
@pytest.mark.parametrize("works", [False, True])
def test_probes_tell_whether_the_node_works(works: bool, digests: tuple[str, ...]) -> None:
    stage = Stage()
    if not works:
        stage.pool.kill(stage.node, "it died")
    stage.pool.probe(ProbeNode("a", "a#1", digests))
    stage.run_to(1.0)
    probes = [event for _, event in stage.heard if isinstance(event, NodeProbed)]
    assert probes == [NodeProbed(node_id="a", incarnation="a#1", ok=works)]


def test_heartbeats_tell_the_speed_only_if_the_node_knows() -> None:
    stage = Stage()
    stage.run_to(1.5)
    stage.node.slow_factor = 4.0
    stage.run_to(2.5)
    stage.node.slow_told = True
    stage.run_to(3.5)
    speeds = [event.speed for _, event in stage.heard if isinstance(event, NodeHeard)]
    assert speeds == [1.0, 1.0, 0.25]


def test_a_batch_on_a_lossy_link_is_never_heard_of() -> None:
    stage = Stage()
    stage.node.lossy_fraction = 1.0
    stage.send(1)
    stage.run_to(5.0)
    assert list(stage.ends()) == []


def test_a_node_that_hangs_while_it_is_slow_is_slow_when_it_goes_on() -> None:
    stage = Stage()
    stage.befall((FaultKind.SLOW, 0.1, 10.0, 3.0), (FaultKind.HANG, 0.2, 1.2, 1.0))
    stage.run_to(0.3)
    stage.send(1)
    stage.run_to(2.0)
    assert list(stage.ends()) == [(round(1.2 + 3 * RUN_S + BASE_S, 6), 1, None)]


def test_a_node_that_dies_while_its_hung_actor_is_replaced_stays_away() -> None:
    stage = Stage()
    stage.befall((FaultKind.HANG, 0.5, 60.0, 1.0), (FaultKind.DIE, 6.0, 16.0, 1.0))
    stage.run_to(5.5)
    # Silent for too long; its successor would be there 3 s later.
    assert not stage.node.up
    stage.run_to(15.5)
    assert not stage.node.up
    stage.run_to(16.5)
    assert stage.node.up
    assert not stage.node.hung


def test_a_node_that_is_away_twice_comes_back_after_both() -> None:
    stage = Stage()
    stage.befall((FaultKind.DIE, 1.0, 3.0, 1.0), (FaultKind.DIE, 2.0, 5.0, 1.0))
    stage.run_to(4.0)
    assert not stage.node.up
    stage.run_to(5.5)
    assert stage.node.up


def test_a_node_without_an_actor_does_not_hang() -> None:
    stage = Stage()
    stage.befall((FaultKind.DIE, 0.5, 2.0, 1.0), (FaultKind.HANG, 1.0, 4.0, 1.0))
    stage.run_to(2.5)
    assert stage.node.up
    assert not stage.node.hung


def test_a_fault_may_begin_when_another_of_its_kind_ends() -> None:
    stage = Stage()
    stage.befall((FaultKind.SLOW, 3.0, 9.0, 4.0), (FaultKind.SLOW, 1.0, 3.0, 2.0))
    stage.run_to(3.5)
    assert stage.node.slow_factor == 4.0
