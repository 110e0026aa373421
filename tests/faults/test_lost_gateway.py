"""A gateway that ends under load, and the one that its service manager starts in its place."""

import asyncio
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from digit_questions import MODEL, Questions
from faulty_farm import measured, settled
from figures import tell
from free_ports import free_address
from history import violations
from recorded_load import RecordedLoad
from served_models import copy_digits
from shelf_services import Service, Shelf

from farm.client import AdminClient
from farm.core.errors import ErrorCode
from farm.pb.farm_admin_pb2 import NodeSnapshot

pytestmark = [pytest.mark.integration, pytest.mark.faults, pytest.mark.timeout(300)]

# What a client is told by the last words of a gateway, and by nobody once it is gone.
WHILE_AWAY = (ErrorCode.DRAINING, ErrorCode.MODEL_UNAVAILABLE, ErrorCode.UNREACHABLE)


class OneGateway:
    """A shelf that serves, with one gateway, which may be ended and started again."""

    def __init__(self, folder: Path) -> None:
        models = folder / "models"
        models.mkdir()
        copy_digits(models)
        self.grpc, self.metrics = free_address(), free_address()
        ports = (int(address.rpartition(":")[2]) for address in (self.grpc, self.metrics))
        grpc_port, metrics_port = ports
        self.shelf = Shelf(folder, models, grpc_port=grpc_port, metrics_port=metrics_port)
        self.gateway: Service = self.shelf.gateway("gateway")

    def start(self) -> None:
        self.shelf.head.start()
        self.shelf.head.told("READY=1")
        self.shelf.node.start()
        self.shelf.node.told("READY=1")
        self.start_gateway()

    def start_gateway(self) -> None:
        self.gateway.start()
        self.gateway.told("READY=1")

    def node(self) -> NodeSnapshot:
        with AdminClient(self.grpc) as admin:
            (node,) = admin.snapshot().nodes
        return node


@pytest.fixture(scope="module")
def shelf() -> Iterator[OneGateway]:
    # A short path, which Ray's sockets need.
    folder = Path(tempfile.mkdtemp(prefix="gone-", dir="/tmp"))
    try:
        made = OneGateway(folder)
        with made.shelf.cleaned_up():
            made.start()
            yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "stopped"])
async def test_clients_that_try_again_outlast_their_gateway(
    shelf: OneGateway,
    questions: Questions,
    fault: signal.Signals,
    request: pytest.FixtureRequest,
) -> None:
    before = await asyncio.to_thread(shelf.node)
    async with (
        RecordedLoad(shelf.grpc, questions, callers=8, retries=60, timeout_s=100) as patient,
        RecordedLoad(shelf.grpc, questions, callers=4, pause_s=0.02) as told,
    ):
        with AdminClient(shelf.grpc) as admin:
            await measured(admin, MODEL)
        await patient.answered(400)
        lost_s = time.monotonic()
        shelf.gateway.process.send_signal(fault)
        await asyncio.to_thread(shelf.gateway.wait)
        await asyncio.to_thread(shelf.start_gateway)
        await patient.answered(400)
        back_s = time.monotonic()
        await told.answered(100)
    assert violations(patient.history, questions.truth) == []
    assert violations(told.history, questions.truth, allowed=WHILE_AWAY) == []
    await settled(shelf.metrics)
    after = await asyncio.to_thread(shelf.node)
    assert after.incarnation == before.incarnation
    # The same process has counted on.
    assert after.rows_total > before.rows_total
    answered = sum(1 for _ in patient.history.answers())
    tell(request.node.name, answered=answered, failed=0, recovered_s=back_s - lost_s)
