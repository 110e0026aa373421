"""Networks that are cut, long, thin and unreliable, on real hosts."""

import asyncio
import re
import time
from contextlib import ExitStack

import numpy as np
import onnx
import pytest
from digit_questions import Questions
from faulty_farm import until
from lab import Host
from node_loss import OUTAGE_S, Standings, Survives
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from shelf_farm import ShelfFarm
from shelf_load import ShelfLoad, all_ready, incarnations, operator, operator_tls

from farm.client import FarmClient

pytestmark = [pytest.mark.lab, pytest.mark.faults, pytest.mark.timeout(900)]

DELAY_S = 0.1
THIN, THIN_BYTES_PER_S = "1mbit", 125_000
# What a link lets through at once, whatever its rate.
BURST_BYTES = 64 << 10
# A connection that is reset so often is reset in the middle of many answers.
RESETS = 10


@pytest.mark.parametrize(
    ("cut", "joined", "outage_s"),
    [
        ("unplug", "plug", OUTAGE_S),
        ("deafen", "hear_and_speak", OUTAGE_S / 2),
        ("mute", "hear_and_speak", OUTAGE_S / 2),
    ],
    ids=["cable-pulled", "hears-nothing", "says-nothing"],
)
async def test_a_node_that_is_cut_off_fails_no_request(
    long_shelf: ShelfFarm, survives: Survives, cut: str, joined: str, outage_s: float
) -> None:
    node = long_shelf.nodes[3]
    await survives(
        [node],
        inject=getattr(node, cut),
        mend=getattr(node, joined),
        outage_s=outage_s,
    )


def round_trip_s(host: Host, other: Host) -> float:
    """Return the shortest of some round trips of a ping between two hosts."""
    said = host.shell(f"ping -c 3 -i 0.2 -W 10 {other.address}")
    found = re.search(r"= ([0-9.]+)/", said)
    assert found, said
    return float(found[1]) / 1000


@pytest.mark.parametrize("of_head", [False, True], ids=["of-a-node", "of-the-head"])
async def test_a_long_link_costs_time_alone(
    long_shelf: ShelfFarm, questions: Questions, of_head: bool, request: pytest.FixtureRequest
) -> None:
    far, near = long_shelf.head, long_shelf.nodes[0]
    if not of_head:
        far, near = near, far
    async with ShelfLoad(long_shelf, questions) as load:
        before = await incarnations(long_shelf)
        with ExitStack() as stack:
            standings = stack.enter_context(Standings(long_shelf))
            with load.pulling():
                await asyncio.to_thread(stack.enter_context, far.long_link(DELAY_S))
            assert await asyncio.to_thread(round_trip_s, far, near) >= 2 * DELAY_S
            await load.answered()
        assert await asyncio.to_thread(round_trip_s, far, near) < 2 * DELAY_S
        load.back()
        await load.answered()
    await load.kept_its_word(request.node.name)
    assert standings.incarnations == set(before.items())
    assert {state for _, state in standings.states} <= {"ready", "suspect"}


def weighty_model(values: NDArray[np.float32]) -> bytes:
    """A model as large as its values, [n,m]: x FP32 [-1,n] to y = x @ values."""
    rows, columns = values.shape
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "values"], ["y"])],
        "weighty",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", rows])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", columns])],
        [numpy_helper.from_array(values, "values")],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(made, full_check=True)
    return made.SerializeToString()


async def test_a_thin_link_brings_big_models_in_the_end(
    long_shelf: ShelfFarm, questions: Questions, request: pytest.FixtureRequest
) -> None:
    node = long_shelf.nodes[1]
    values = np.random.default_rng(8).random((256, 1500), dtype=np.float32)
    model = weighty_model(values)

    def load_model() -> float:
        began_s = time.monotonic()
        with operator(long_shelf) as admin:
            admin.load(
                "weighty",
                config={"platform": "onnxruntime_onnx", "max_batch_size": 4},
                files={"1/model.onnx": model},
                timeout_s=240,
            )
        return time.monotonic() - began_s

    async with ShelfLoad(long_shelf, questions) as load:
        before = await incarnations(long_shelf)
        with ExitStack() as stack:
            standings = stack.enter_context(Standings(long_shelf))
            stack.callback(node.widen_link)
            with load.pulling():
                await asyncio.to_thread(node.thin_link, THIN)
            took_s = await asyncio.to_thread(load_model)
            await load.answered()
        load.back()
        await load.answered()
    await load.kept_its_word(request.node.name)
    assert standings.incarnations == set(before.items())
    assert {state for _, state in standings.states} <= {"ready", "suspect"}
    # It did come over that link.
    assert took_s > (len(model) - BURST_BYTES) / THIN_BYTES_PER_S
    with (
        operator(long_shelf) as admin,
        FarmClient(long_shelf.address, tls=operator_tls(long_shelf)) as client,
    ):
        (served,) = (each for each in admin.snapshot().models if each.name == "weighty")
        assert node.name in served.ready_nodes
        x = np.eye(1, len(values), dtype=np.float32)
        assert (client.infer("weighty", {"x": x})["y"] == values[:1]).all()
        admin.unload("weighty", timeout_s=60)


async def test_connections_that_are_reset_in_mid_answer_fail_no_request(
    long_shelf: ShelfFarm, questions: Questions, request: pytest.FixtureRequest
) -> None:
    node = long_shelf.nodes[0]

    def is_reset() -> bool:
        # There may be none for a moment after the one before.
        return long_shelf.head.reset_connections(node) > 0

    async with ShelfLoad(long_shelf, questions) as load:
        before = await incarnations(long_shelf)
        with load.pulling():
            assert await asyncio.to_thread(is_reset)
        await all_ready(long_shelf)
        assert await incarnations(long_shelf) == before
        for _ in range(RESETS - 1):
            await load.answered(50)
            await until(is_reset, "a connection is reset")
        await all_ready(long_shelf)
        load.back()
        await load.answered()
    await load.kept_its_word(request.node.name)
