"""Files that a gateway kept and a card has spoilt: it starts, says so, and loses nothing else."""

import json
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
import pytest
from digit_questions import Questions
from farm_process import FarmProcess
from faulty_farm import settled, until
from history import violations
from recorded_load import RecordedLoad
from served_models import copy_digits, write_adder

from farm.client import AdminClient, FarmClient
from farm.core.errors import FarmError, InternalError
from farm.core.events import EventKind
from farm.core.ledger import GroupBy, IncidentKind, LedgerQuery

pytestmark = [pytest.mark.integration, pytest.mark.faults, pytest.mark.timeout(300)]

PAGE_BYTES = 4096
QUERY = LedgerQuery(since_unix_ns=0, until_unix_ns=0, group=GroupBy.MODEL)
X = np.ones((1, 4), dtype=np.float32)


def lose_the_middle(path: Path) -> None:
    """Let the pages of the middle third read as zeros."""
    data = bytearray(path.read_bytes())
    third = len(data) // PAGE_BYTES // 3 * PAGE_BYTES
    data[third : 2 * third] = bytes(third)
    path.write_bytes(data)


def lose_the_end(path: Path) -> None:
    """Cut the file at the end of a page."""
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // PAGE_BYTES // 2 * PAGE_BYTES])


def spoil_small_files(folder: Path, random: Random) -> list[Path]:
    """Cut every JSON file below a folder somewhere; return them."""
    files = sorted(path for path in folder.rglob("*.json") if path.name != "desired.copy.json")
    for path in files:
        data = path.read_bytes()
        # One that lacks no more than its last line end is whole.
        path.write_bytes(data[: random.randrange(len(data) - 1)])
    return files


def reads_all(admin: AdminClient) -> bool:
    """Whether everything in the ledger can be read, and it is a new one."""
    try:
        for _ in admin.ledger_records(0):
            pass
        kinds = {incident.kind for incident in admin.ledger(QUERY).incidents}
    except InternalError:
        return False
    return IncidentKind.LEDGER_SET_ASIDE in kinds


def answered(admin: AdminClient) -> int:
    return sum(figures.counts.answered for figures in admin.ledger(QUERY).figures)


@pytest.mark.parametrize("tear", [lose_the_middle, lose_the_end])
async def test_a_farm_starts_over_spoilt_files(
    tmp_path: Path,
    questions: Questions,
    tear: Callable[[Path], None],
    request: pytest.FixtureRequest,
) -> None:
    models = tmp_path / "models"
    models.mkdir()
    copy_digits(models)
    write_adder(models, "adder", 1.0)
    write_adder(models, "unwanted", 1.0)
    farm = FarmProcess(tmp_path, "--nodes", "1", "--models", str(models))
    with farm, AdminClient(farm.grpc) as admin:
        async with RecordedLoad(farm.grpc, questions, callers=4):
            pass
        admin.unload("unwanted", timeout_s=60)
        admin.load("adder", config={"max_batch_size": 3}, timeout_s=60)
    ledger = tmp_path / "state" / "ledger" / "ledger.db"
    assert ledger.stat().st_size > 8 * PAGE_BYTES
    tear(ledger)
    spoilt = spoil_small_files(tmp_path, Random(request.node.name))
    assert {path.name for path in spoilt} > {"desired.json"}
    with farm:
        async with RecordedLoad(farm.grpc, questions, callers=4) as load:
            pass
        assert violations(load.history, questions.truth) == []
        await settled(farm.metrics)
        with AdminClient(farm.grpc) as admin, FarmClient(farm.grpc, retries=0) as client:
            # The wishes are those of before.
            assert client.infer("adder", {"x": X})["y"].tolist() == [[2.0] * 4]
            assert client.config("adder").max_batch_size == 3
            with pytest.raises(FarmError):
                client.infer("unwanted", {"x": X})
            # A reader may be the first to stumble; then it is told so, and the file put aside.
            await until(lambda: reads_all(admin), "a ledger can be read")
            # All that was answered before may stand in the file put aside: ask again.
            client.infer("adder", {"x": X})
            await until(lambda: answered(admin) > 0, "it counts on")
            answer = admin.ledger(QUERY)
            (events, _) = next(iter(admin.events(timeout_s=30)))
    told = {event.kind: event.detail for event in events}
    assert "desired.json was damaged" in told[EventKind.WISHES_RESTORED]
    assert "it is kept as ledger.db.corrupt-" in told[EventKind.LEDGER_SET_ASIDE]
    assert IncidentKind.LEDGER_SET_ASIDE in {incident.kind for incident in answer.incidents}
    assert list(ledger.parent.glob("ledger.db.corrupt-*"))
    assert json.loads((tmp_path / "state" / "desired.json").read_text())["models"]
