"""A node taken out of a real farm under traffic, its actor killed meanwhile, and put back."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest
from digit_load import Load
from farm_process import FarmProcess

from farm.client import AdminClient
from farm.pb.farm_admin_pb2 import NodeSnapshot

pytestmark = pytest.mark.integration

BOUND_S = 60.0
# Answers in which a node that takes batches would have had its share.
MANY = 300


async def test_a_cordoned_node_gets_nothing_whatever_restarts(
    farm: FarmProcess, load: Load
) -> None:
    with AdminClient(farm.grpc) as admin:

        def node() -> NodeSnapshot:
            return next(n for n in admin.snapshot().nodes if n.node_id == "local-2")

        done = asyncio.Event()
        traffic = asyncio.create_task(load.run(concurrency=16, go_on=lambda: not done.is_set()))
        try:
            await until(lambda: load.nodes["local-2"] > 0)
            drained = await asyncio.to_thread(farm_nodes, farm, "drain", "local-2")
            assert (drained["state"], drained["result"]) == ("cordoned", "drained")
            had = load.nodes["local-2"]
            await more(load)
            assert load.nodes["local-2"] == had

            first = node()
            os.kill(first.pid, signal.SIGKILL)
            await until(
                lambda: node().state == "cordoned" and node().incarnation != first.incarnation
            )
            await more(load)
            assert load.nodes["local-2"] == had

            put_back = await asyncio.to_thread(farm_nodes, farm, "uncordon", "local-2")
            assert put_back["state"] == "ready"
            await until(lambda: load.nodes["local-2"] > had)
        finally:
            done.set()
            admin.uncordon("local-2")
            await traffic
        assert load.errors == []
        assert load.wrong == 0


def farm_nodes(farm: FarmProcess, *arguments: str) -> dict[str, object]:
    """Run a command on one node as an operator does; return what became of it."""
    done = subprocess.run(
        [sys.executable, "-m", "farm", "nodes", *arguments, "--connect", farm.grpc, "-o", "json"],
        capture_output=True,
        timeout=BOUND_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    (outcome,) = json.loads(done.stdout)["nodes"]
    return outcome


async def more(load: Load) -> None:
    """Wait for `MANY` more answers."""
    wanted = load.answered + MANY
    await until(lambda: load.answered >= wanted)


async def until(condition: Callable[[], bool]) -> None:
    bound = time.monotonic() + BOUND_S
    while not await asyncio.to_thread(condition):
        assert time.monotonic() < bound, "the condition never came true"
        await asyncio.sleep(0.05)
