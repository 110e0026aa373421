"""Nodes that die or hang under load: one, half of them, all of them."""

import os
import signal
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import pytest
from digit_questions import MODEL, Questions
from farm_process import FarmProcess
from faulty_farm import measured, settled, until
from figures import FaultFigures
from history import NO_NODE_LEFT, violations
from new_batches import NewBatches
from recorded_load import RecordedLoad

from farm.client import AdminClient
from farm.core.errors import ErrorCode

pytestmark = [pytest.mark.integration, pytest.mark.faults]

NODES = ("local-1", "local-2", "local-3", "local-4")


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory):
    with FarmProcess(tmp_path_factory.mktemp("faulty"), "--nodes", str(len(NODES))) as process:
        yield process


def pids(admin: AdminClient, nodes: Sequence[str]) -> list[int]:
    return [node.pid for node in admin.snapshot().nodes if node.node_id in nodes]


def all_ready(admin: AdminClient) -> bool:
    return all(node.state == "ready" for node in admin.snapshot().nodes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """When a load had begun, nodes were lost, and new actors had taken their place."""

    began_s: float
    lost_s: float
    back_s: float


async def lose(
    admin: AdminClient, nodes: Sequence[str], fault: signal.Signals, load: RecordedLoad
) -> Loss:
    """Send a signal to some nodes under load, and wait until the farm is whole and answers."""
    before = set(pids(admin, nodes))

    def are_replaced() -> bool:
        return all_ready(admin) and before.isdisjoint(pids(admin, nodes))

    await measured(admin, MODEL)
    began_s = time.monotonic()
    await load.answered(1000)
    lost_s = time.monotonic()
    for pid in before:
        os.kill(pid, fault)
    await until(are_replaced, "new actors have taken their place")
    back_s = time.monotonic()
    await load.answered(400)
    return Loss(began_s=began_s, lost_s=lost_s, back_s=back_s)


@pytest.mark.parametrize("lost", [NODES[:1], NODES[:2]], ids=["one", "half"])
@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "hung"])
async def test_lost_nodes_fail_no_request(
    farm: FarmProcess,
    questions: Questions,
    fault: signal.Signals,
    lost: Sequence[str],
    request: pytest.FixtureRequest,
) -> None:
    with AdminClient(farm.grpc) as admin:
        await until(lambda: all_ready(admin), "every node is ready")
        with NewBatches(farm.grpc, lost) as new_batches:
            async with RecordedLoad(farm.grpc, questions, callers=16) as load:
                loss = await lose(admin, lost, fault, load)
    assert violations(load.history, questions.truth) == []
    await settled(farm.metrics)
    last_batch_s = new_batches.last_s(loss.lost_s)
    FaultFigures.of(load.history, **asdict(loss), last_batch_s=last_batch_s).write(
        request.node.name
    )


@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "hung"])
async def test_when_all_nodes_are_lost_clients_wait_for_new_ones(
    farm: FarmProcess,
    questions: Questions,
    fault: signal.Signals,
    request: pytest.FixtureRequest,
) -> None:
    with AdminClient(farm.grpc) as admin:
        await until(lambda: all_ready(admin), "every node is ready")
        async with (
            RecordedLoad(farm.grpc, questions, callers=8, retries=20, timeout_s=60) as patient,
            # Many who ask seldom: some of them ask first when no node is left.
            RecordedLoad(farm.grpc, questions, callers=64, pause_s=0.5) as seldom,
        ):
            loss = await lose(admin, NODES, fault, patient)
            await seldom.answered(400)
    assert violations(patient.history, questions.truth) == []
    assert violations(seldom.history, questions.truth, allowed=NO_NODE_LEFT) == []
    # Of nodes that hang it is not known for a while, and all who come then wait.
    first = {each.number for each in seldom.history.sent if each.at_s > loss.lost_s}
    told = any(
        reply.number in first and failure.code is ErrorCode.MODEL_UNAVAILABLE
        for reply, failure in seldom.history.failures()
    )
    assert told or fault is signal.SIGSTOP, "who asks first then is told that no node is left"
    await settled(farm.metrics)
    FaultFigures.of(patient.history, **asdict(loss)).write(request.node.name)
