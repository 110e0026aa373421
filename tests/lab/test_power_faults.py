"""What power cuts and full disks do to a shelf under load."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from random import Random

import pytest
from digit_questions import Questions
from lab import Host
from lab.image import image
from operator_machine import Ended
from served_models import adder
from shelf_farm import ShelfFarm
from shelf_load import ALL_AWAY, ShelfLoad, all_ready, incarnations, up

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

SPARE = "spare"


# -- disks -------------------------------------------------------------------------------


@contextmanager
def spare_model(shelf: ShelfFarm, constant: float) -> Iterator[None]:
    """Lay a small model that no host has seen into the repository, and take it away again."""
    folder = f"/opt/farm/models/{SPARE}"
    shelf.head.write(f"{folder}/1/model.onnx", adder(constant))
    try:
        yield
    finally:
        shelf.operator.farm("models", "unload", SPARE)
        shelf.head.shell(f"rm -r {folder}")


def loaded(shelf: ShelfFarm) -> Ended:
    return shelf.operator.farm("models", "load", SPARE)


async def test_a_node_with_a_full_disk_serves_and_refuses_models(
    shelf: ShelfFarm, questions: Questions, request: pytest.FixtureRequest
) -> None:
    node, before = shelf.nodes[0], await incarnations(shelf)
    with spare_model(shelf, 1.0):
        async with ShelfLoad(shelf, questions) as load:
            with load.pulling():
                node.fill_disk(0)
            try:
                refused = await asyncio.to_thread(loaded, shelf)
                await load.answered()
            finally:
                node.free_disk()
            accepted = await asyncio.to_thread(loaded, shelf)
            load.back()
            await load.answered()
        await load.kept_its_word(request.node.name)
    assert refused.exit_code == 1
    assert f"node '{node.name}'" in refused.said
    assert "disk does not take the model's files (No space left on device)" in refused.said
    assert accepted.exit_code == 0, accepted.said
    assert await incarnations(shelf) == before


async def test_a_head_with_a_full_disk_serves_and_refuses_models(
    shelf: ShelfFarm, questions: Questions, request: pytest.FixtureRequest
) -> None:
    before = await incarnations(shelf)
    with spare_model(shelf, 2.0):
        async with ShelfLoad(shelf, questions) as load:
            with load.pulling():
                shelf.head.fill_disk(0)
            try:
                refused = await asyncio.to_thread(loaded, shelf)
                await load.answered()
            finally:
                shelf.head.free_disk()
            accepted = await asyncio.to_thread(loaded, shelf)
            await all_ready(shelf)
            load.back()
            await load.answered()
        await load.kept_its_word(request.node.name)
    assert refused.exit_code == 1
    assert "disk" in refused.said
    assert accepted.exit_code == 0, accepted.said
    assert await incarnations(shelf) == before


async def test_a_node_whose_disk_fails_serves_until_it_is_switched_off(
    shelf: ShelfFarm, questions: Questions, request: pytest.FixtureRequest
) -> None:
    """The kernel makes a disk read-only that does not do what it should."""
    node, before = shelf.nodes[0], await incarnations(shelf)
    with spare_model(shelf, 3.0):
        async with ShelfLoad(shelf, questions) as load:
            with load.pulling():
                node.disk.wear_out()
            try:
                refused = await asyncio.to_thread(loaded, shelf)
                await load.answered()
                assert await incarnations(shelf) == before
            finally:
                await asyncio.to_thread(node.stop)
                node.disk.mend(image(node.spec.arch))
                await asyncio.to_thread(node.start)
            await all_ready(shelf)
            accepted = await asyncio.to_thread(loaded, shelf)
            load.back()
            await load.answered()
        await load.kept_its_word(request.node.name)
    assert refused.exit_code == 1
    assert f"node '{node.name}'" in refused.said
    assert "disk does not take the model's files (Read-only file system)" in refused.said
    assert accepted.exit_code == 0, accepted.said


# -- the whole shelf ---------------------------------------------------------------------


def switching_on(shelf: ShelfFarm, order: str) -> Sequence[Host]:
    """Return the hosts in the order in which they get their power back."""
    if order == "head last":
        return [*shelf.nodes, shelf.head]
    nodes = list(shelf.nodes)
    Random(order).shuffle(nodes)
    return [shelf.head, *nodes]


@pytest.mark.parametrize("order", ["head last", "head first"])
async def test_a_shelf_without_power_comes_back_in_any_order(
    shelf: ShelfFarm, questions: Questions, order: str, request: pytest.FixtureRequest
) -> None:
    *soon, late = switching_on(shelf, order)
    async with ShelfLoad(shelf, questions, allowed=ALL_AWAY) as load:
        with load.pulling():
            for host in shelf.hosts:
                await asyncio.to_thread(host.stop)
        # A boot has ended when every unit has started, and a node's waits for the head.
        async with asyncio.TaskGroup() as boots:
            for host in soon:
                boots.create_task(asyncio.to_thread(host.start))
                await up(host)
            if late is not shelf.head:
                # A node that stays away keeps nobody waiting.
                await load.answers_again()
            boots.create_task(asyncio.to_thread(late.start))
        await load.answers_again()
        await all_ready(shelf)
        await load.answered()
    await load.kept_its_word(request.node.name)
