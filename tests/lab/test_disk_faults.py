"""What full and failing disks do to a shelf under load, on real hosts."""

import asyncio
from collections.abc import Callable

import pytest
from digit_questions import Questions
from lab import Host
from lab.image import image
from served_models import adder
from shelf_farm import ShelfFarm
from shelf_load import ShelfLoad, all_ready, incarnations, operator

from farm.core.errors import FarmError

pytestmark = [pytest.mark.lab, pytest.mark.faults, pytest.mark.timeout(900)]

SPARE = "spare"


def load_spare(shelf: ShelfFarm, constant: float) -> str:
    """Load a small model that no host has seen; return what is said against it."""
    with operator(shelf) as admin:
        try:
            admin.load(
                SPARE,
                config={"platform": "onnxruntime_onnx", "max_batch_size": 4},
                files={"1/model.onnx": adder(constant)},
                timeout_s=120,
            )
        except FarmError as error:
            return error.message
    return ""


def with_sound_disk(host: Host) -> None:
    """Switch a host off and on again; what is wrong with its disk is put right meanwhile."""
    host.stop()
    host.disk.mend(image(host.spec.arch))
    host.start()


@pytest.mark.parametrize(
    ("pick", "constant"),
    [(lambda shelf: shelf.nodes[0], 1.0), (lambda shelf: shelf.head, 2.0)],
    ids=["of-a-node", "of-the-head"],
)
async def test_a_full_disk_refuses_models_and_no_request(
    long_shelf: ShelfFarm,
    questions: Questions,
    pick: Callable[[ShelfFarm], Host],
    constant: float,
    request: pytest.FixtureRequest,
) -> None:
    async with ShelfLoad(long_shelf, questions) as load:
        before = await incarnations(long_shelf)
        host = pick(long_shelf)
        try:
            with load.pulling():
                host.fill_disk(0)
            refused = await asyncio.to_thread(load_spare, long_shelf, constant)
            await load.answered()
        finally:
            host.free_disk()
        assert await asyncio.to_thread(load_spare, long_shelf, constant) == ""
        await all_ready(long_shelf)
        load.back()
        await load.answered()
    await load.kept_its_word(request.node.name)
    assert "No space left on device" in refused
    assert await incarnations(long_shelf) == before


async def test_a_disk_that_fails_refuses_models_and_no_request(
    long_shelf: ShelfFarm, questions: Questions, request: pytest.FixtureRequest
) -> None:
    node = long_shelf.nodes[0]
    async with ShelfLoad(long_shelf, questions) as load:
        before = await incarnations(long_shelf)
        try:
            with load.pulling():
                node.disk.wear_out()
            refused = await asyncio.to_thread(load_spare, long_shelf, 3.0)
            await load.answered()
            assert await incarnations(long_shelf) == before
        finally:
            await asyncio.to_thread(with_sound_disk, node)
        await all_ready(long_shelf)
        assert await asyncio.to_thread(load_spare, long_shelf, 3.0) == ""
        load.back()
        await load.answered()
    await load.kept_its_word(request.node.name)
    assert "Read-only file system" in refused


async def test_a_heads_disk_that_fails_refuses_models_and_no_request(
    long_shelf: ShelfFarm, questions: Questions, request: pytest.FixtureRequest
) -> None:
    head = long_shelf.head
    before = await incarnations(long_shelf)
    try:
        async with ShelfLoad(long_shelf, questions) as load:
            with load.pulling():
                head.disk.wear_out()
            refused = await asyncio.to_thread(load_spare, long_shelf, 4.0)
            await load.answered()
            load.back()
            await load.answered()
        await load.kept_its_word(request.node.name)
        assert await incarnations(long_shelf) == before
    finally:
        await asyncio.to_thread(with_sound_disk, head)
    # All that needs a disk, which a gateway that starts does.
    assert await incarnations(long_shelf) == before
    assert await asyncio.to_thread(load_spare, long_shelf, 4.0) == ""
    assert "Read-only file system" in refused
