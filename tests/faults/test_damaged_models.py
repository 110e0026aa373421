"""Model files that are not what they were: no answer comes from them, and whole ones return."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from cordoned import without
from digit_questions import MODEL, Questions
from farm_process import FarmProcess
from fault_injection import disk_of
from faulty_farm import settled, until
from history import violations
from recorded_load import RecordedLoad
from served_models import adder, copy_digits, write_adder

from farm.client import AdminClient, FarmClient
from farm.core.errors import FarmError

pytestmark = [pytest.mark.integration, pytest.mark.faults, pytest.mark.timeout(300)]

VICTIM, OTHERS = "local-2", ("local-1", "local-3")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    models = tmp_path_factory.mktemp("damaged") / "models"
    models.mkdir()
    copy_digits(models)
    # In the repository its file is changed for another one.
    write_adder(models, "changing", 1.0)
    return models


@pytest.fixture(scope="module")
def farm(models: Path) -> Iterator[FarmProcess]:
    # The model that was asked for last is the one that is open.
    single = {"FARM_NODE__MAX_SESSIONS": "1"}
    repository = ("--models", str(models))
    with FarmProcess(models.parent, "--nodes", "3", *repository, environment=single) as process:
        yield process


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def swap(path: Path) -> None:
    path.write_bytes(adder(7.0))


def link(path: Path) -> None:
    elsewhere = path.parent.parent / "elsewhere.onnx"
    elsewhere.write_bytes(adder(7.0))
    path.unlink()
    path.symlink_to(elsewhere)


def remove(path: Path) -> None:
    path.unlink()


# What changes a file does so by each of its names, once; what changes names is done to each.
FAULTS = [(flip, False), (cut, False), (swap, False), (link, True), (remove, True)]


def kept_files(farm: FarmProcess) -> list[Path]:
    """Return every file that the victim keeps of models, by any name."""
    disk = disk_of(farm, VICTIM)
    folders = (disk / "blobs", disk / "models")
    return [path for each in folders for path in each.rglob("*") if path.is_file()]


def has_whole(farm: FarmProcess, model: Path) -> bool:
    """Whether the victim has a model's file, to keep and to open, as it is in the repository."""
    content = model.read_bytes()
    blob = disk_of(farm, VICTIM) / "blobs" / sha256(content).hexdigest()
    opened = (path for path in kept_files(farm) if path.name == model.name)
    with suppress(FileNotFoundError):
        return blob.read_bytes() == content and any(
            path.read_bytes() == content and not path.is_symlink() for path in opened
        )
    return False


def serves(admin: AdminClient, *, incarnation: str = "") -> bool:
    """Whether the victim is ready with every model, and is another process than that one."""
    (node,) = (node for node in admin.snapshot().nodes if node.node_id == VICTIM)
    return (
        node.state == "ready" and len(node.model_digests) == 2 and node.incarnation != incarnation
    )


async def close_session(farm: FarmProcess, admin: AdminClient) -> None:
    """Have the victim close the digits' session: it opens another model's to run that.

    The test before may have damaged that one too: then it is fetched anew first.
    """
    with FarmClient(farm.grpc) as client:

        def runs_there() -> bool:
            with suppress(FarmError):
                x = np.zeros((1, 4), np.float32)
                answer = client.infer("changing", {"x": x}, timeout_s=60)
                return answer.receipt.node == VICTIM
            return False

        async with without(admin, *OTHERS):
            await until(runs_there, "the node has run another model")


@pytest.mark.parametrize(
    ("damage", "by_name"), FAULTS, ids=[damage.__name__ for damage, _ in FAULTS]
)
async def test_damaged_files_of_a_node_are_fetched_anew(
    farm: FarmProcess,
    questions: Questions,
    models: Path,
    damage: Callable[[Path], None],
    by_name: bool,
) -> None:
    digits = models / MODEL / "1" / "model.onnx"
    with AdminClient(farm.grpc) as admin:
        await until(lambda: serves(admin), "every node serves")
        await close_session(farm, admin)
        assert has_whole(farm, digits)
        files = {str(path) if by_name else path.stat().st_ino: path for path in kept_files(farm)}
        for path in files.values():
            damage(path)
        assert not has_whole(farm, digits)
        async with RecordedLoad(farm.grpc, questions, callers=16) as load:
            await until(lambda: has_whole(farm, digits), "the node has fetched the model anew")
            await until(lambda: serves(admin), "the node serves again")
            back = time.monotonic()
            await load.answered(1000)
    assert violations(load.history, questions.truth) == []
    assert VICTIM in {answer.node for _, answer in load.history.answers(since_s=back)}
    await settled(farm.metrics)


async def test_a_node_that_restarts_over_damaged_files_fetches_them_anew(
    farm: FarmProcess, questions: Questions
) -> None:
    with AdminClient(farm.grpc) as admin:
        await until(lambda: serves(admin), "every node serves")
        (node,) = (node for node in admin.snapshot().nodes if node.node_id == VICTIM)
        async with RecordedLoad(farm.grpc, questions, callers=16) as load:
            for path in (disk_of(farm, VICTIM) / "blobs").iterdir():
                flip(path)
            os.kill(node.pid, signal.SIGKILL)
            await until(lambda: serves(admin, incarnation=node.incarnation), "it serves again")
            back = load.history.replies[-1].at_s
            await load.answered(1000)
    assert violations(load.history, questions.truth) == []
    assert VICTIM in {answer.node for _, answer in load.history.answers(since_s=back)}
    await settled(farm.metrics)


async def test_a_file_changed_in_the_repository_is_not_taken_for_the_one_that_was_listed(
    farm: FarmProcess, questions: Questions, models: Path
) -> None:
    path = models / MODEL / "1" / "model.onnx"
    whole = path.read_bytes()
    with AdminClient(farm.grpc) as admin:
        await until(lambda: serves(admin), "every node serves")
        (node,) = (node for node in admin.snapshot().nodes if node.node_id == VICTIM)

        def lacks_it() -> bool:
            told = admin.describe_node(VICTIM)
            return any(not each.ready and "was changed" in each.reason for each in told.models)

        async with RecordedLoad(farm.grpc, questions, callers=16) as load:
            swap(path)
            for blob in (disk_of(farm, VICTIM) / "blobs").iterdir():
                blob.unlink()
            os.kill(node.pid, signal.SIGKILL)
            await until(lacks_it, "the node says that it cannot have the model")
            # It is what operators are told when they load it, too.
            with pytest.raises(FarmError):
                await asyncio.to_thread(admin.load, MODEL, timeout_s=60)
            path.write_bytes(whole)
            await until(lambda: serves(admin, incarnation=node.incarnation), "it serves again")
            await load.answered(600)
    assert violations(load.history, questions.truth) == []
    await settled(farm.metrics)
