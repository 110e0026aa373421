"""Disks that are full or read-only: farms answer on, and are whole again once there is room."""

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from digit_questions import MODEL, Questions
from farm_process import FarmProcess, wait_until
from fault_injection import disk_of
from faulty_farm import settled, until
from history import History, violations
from metrics_page import counted
from recorded_load import RecordedLoad
from served_models import copy_digits, write_adder
from small_disks import SmallDisk

from farm.client import AdminClient, FarmClient
from farm.core.errors import FarmError
from farm.core.events import EventKind
from farm.core.ledger import GroupBy, LedgerQuery

pytestmark = [pytest.mark.integration, pytest.mark.faults, pytest.mark.timeout(300)]

VICTIM = "local-2"
DISK_BYTES = 8 << 20
X = np.ones((1, 4), dtype=np.float32)


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallDisk]:
    """The disk that a gateway has its log, its state, its ledger, its curves and its trace on."""
    with SmallDisk(tmp_path_factory.mktemp("full") / "disk", size_bytes=DISK_BYTES) as small:
        yield small


@pytest.fixture(scope="module")
def farm(disk: SmallDisk) -> Iterator[FarmProcess]:
    models = disk.folder.with_name("models")
    models.mkdir()
    copy_digits(models)
    write_adder(models, "adder", 1.0)
    arguments = ("--nodes", "2", "--models", str(models))
    trace = str(disk.folder / "trace.jsonl")
    with FarmProcess(disk.folder, *arguments, "--record", trace) as process:
        yield process


def happened(admin: AdminClient, kind: EventKind) -> bool:
    """Whether an event of a kind was told."""
    for events, _ in admin.events(timeout_s=5):
        return any(event.kind == kind for event in events)
    return False


def answered(admin: AdminClient, began_ns: int) -> int:
    """Return how many answers of the digits the ledger counts since a moment."""
    query = LedgerQuery(since_unix_ns=began_ns, until_unix_ns=0, group=GroupBy.MODEL)
    answer = admin.ledger(query)
    return sum(f.counts.answered for f in answer.figures if f.key.split(":")[0] == MODEL)


def answers(*histories: History) -> int:
    return sum(1 for history in histories for _ in history.answers())


async def test_a_gateway_whose_disk_is_full_answers_on_and_counts_on(
    farm: FarmProcess, disk: SmallDisk, questions: Questions
) -> None:
    began_ns = time.time_ns() - 120_000_000_000
    with AdminClient(farm.grpc) as admin:
        async with RecordedLoad(farm.grpc, questions, callers=8) as load:
            disk.fill()
            await until(
                lambda: happened(admin, EventKind.LEDGER_UNWRITTEN),
                "the ledger says that it cannot be written",
            )
            await load.answered(1000)
            # What an operator wants is refused in words rather than forgotten later.
            with pytest.raises(FarmError, match="No space left"):
                await asyncio.to_thread(admin.unload, "adder", timeout_s=60)
            disk.make_room()
            await until(
                lambda: happened(admin, EventKind.LEDGER_WRITTEN), "the ledger is written again"
            )
            await load.answered(400)
        assert violations(load.history, questions.truth) == []
        await settled(farm.metrics)
        assert counted(farm.metrics, "farm_ledger_drops_total") == 0
        await until(
            lambda: answered(admin, began_ns) == answers(load.history),
            "the ledger has counted every answer once",
        )
        admin.unload("adder", timeout_s=60)
        admin.load("adder", timeout_s=60)
    with FarmClient(farm.grpc) as client:
        assert client.infer("adder", {"x": X})["y"].tolist() == [[2.0] * 4]


def lacks_models(admin: AdminClient, words: str) -> bool:
    """Whether the victim says in these words why it has no model."""
    models = admin.describe_node(VICTIM).models
    return bool(models) and all(not each.ready and words in each.reason for each in models)


def serves(admin: AdminClient, incarnation: str) -> bool:
    (node,) = (node for node in admin.snapshot().nodes if node.node_id == VICTIM)
    is_new = node.incarnation != incarnation
    return is_new and node.state == "ready" and len(node.model_digests) == 2


@pytest.mark.parametrize("fault", ["full", "read-only"])
async def test_a_node_without_room_says_so_and_gets_its_models_once_there_is(
    farm: FarmProcess, questions: Questions, fault: str
) -> None:
    words = "No space left on device" if fault == "full" else "Read-only file system"
    with (
        AdminClient(farm.grpc) as admin,
        SmallDisk(disk_of(farm, VICTIM), size_bytes=DISK_BYTES) as small,
    ):
        for folder in ("blobs", "models", "trials", "partial"):
            (small.folder / folder).mkdir()
        if fault == "full":
            small.fill()
        else:
            small.allow_writing(False)
        (before,) = (node for node in admin.snapshot().nodes if node.node_id == VICTIM)
        async with RecordedLoad(farm.grpc, questions, callers=8) as load:
            os.kill(before.pid, signal.SIGKILL)
            await until(lambda: lacks_models(admin, words), "the node says why it has no model")
            await load.answered(400)
            if fault == "full":
                small.make_room()
            else:
                small.allow_writing(True)
            await until(lambda: serves(admin, before.incarnation), "it has its models")
            back_s = time.monotonic()
            await load.answered(1000)
        assert violations(load.history, questions.truth) == []
        assert VICTIM in {answer.node for _, answer in load.history.answers(since_s=back_s)}
        await settled(farm.metrics)


def test_a_gateway_that_cannot_write_its_state_says_so_and_ends(tmp_path: Path) -> None:
    with SmallDisk(tmp_path / "disk", size_bytes=DISK_BYTES) as small:
        state = {"FARM_STATE_DIR": str(small.folder / "state")}
        farm = FarmProcess(tmp_path, "--nodes", "1", environment=state)
        small.allow_writing(False)
        farm.launch()
        try:
            wait_until(lambda: not farm.lives(), timeout_s=120, what="it has ended")
        finally:
            assert farm.stop() != 0
    assert "state folder" in farm.log()
    assert "Read-only file system" in farm.log()
    assert "Traceback" not in farm.log()
    assert farm.survivors == []
