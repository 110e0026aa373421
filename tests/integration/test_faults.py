"""Pulled plugs on one machine: a killed node, SIGTERM, SIGKILL, all under load."""

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest
from digit_load import Load
from farm_process import FarmProcess, wait_until
from local_answers import Digits
from served_models import REPOSITORY

from farm.client import AdminClient, AsyncFarmClient
from farm.client.channel import OPTIONS, inference_methods
from farm.core.errors import ErrorCode, FarmError
from farm.core.tensors import pack_strings
from farm.pb.open_inference_pb2 import ModelInferRequest, ModelStreamInferResponse

pytestmark = [pytest.mark.integration, pytest.mark.faults]


@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "hung"])
async def test_losing_a_nodes_actor_fails_no_request(
    tmp_path: Path, digits: Digits, fault: signal.Signals
) -> None:
    with FarmProcess(tmp_path, "--nodes", "3") as farm, AdminClient(farm.grpc) as admin:
        before = {node.node_id: node for node in admin.snapshot().nodes}
        load = Load(farm.grpc, digits)
        states: set[str] = set()

        def revived() -> bool:
            node = next(n for n in admin.snapshot().nodes if n.node_id == "local-2")
            states.add(node.state)
            return node.state == "ready" and node.incarnation != before["local-2"].incarnation

        async def pull_the_plug() -> bool:
            await load.warm.wait()
            os.kill(before["local-2"].pid, fault)
            return await _poll(revived, time.monotonic() + 60)

        back = asyncio.create_task(pull_the_plug())
        await load.run(concurrency=32, go_on=lambda: not back.done())
        assert back.result(), "the lost node came back with a new actor"
        # One that only hangs is left out as soon as it is silent, and replaced later.
        assert fault is signal.SIGKILL or "suspect" in states
        assert load.errors == []
        assert load.wrong == 0

        after = Load(farm.grpc, digits)
        wanted = iter(range(600))
        await after.run(concurrency=32, go_on=lambda: next(wanted, None) is not None)
        assert after.errors == []
        assert after.nodes["local-2"] > 0, "the new actor takes its share"


async def _poll(condition, bound: float) -> bool:
    while time.monotonic() < bound:
        if await asyncio.to_thread(condition):
            return True
        await asyncio.sleep(0.1)
    return False


async def test_sigterm_lets_a_stream_deliver_what_it_owes(tmp_path: Path) -> None:
    method = inference_methods()["ModelStreamInfer"]
    request = ModelInferRequest(model_name="simple_identity")
    request.inputs.add(name="INPUT0", datatype="BYTES", shape=[1, 1])
    request.raw_input_contents.append(pack_strings([bytes(256_000)]))
    # More than any socket buffers, and less than a stream may owe.
    count = 100
    with FarmProcess(tmp_path, "--nodes", "1", "--models", str(REPOSITORY)) as farm:
        async with grpc.aio.insecure_channel(farm.grpc, options=OPTIONS) as channel:
            stream: Any = channel.stream_stream(
                method.path,
                request_serializer=ModelInferRequest.SerializeToString,
                response_deserializer=ModelStreamInferResponse.FromString,
            )()
            sending = asyncio.create_task(_send(stream, request, count))
            assert not (await stream.read()).error_message
            await asyncio.wait_for(sending, 60)
            with AdminClient(farm.grpc) as admin:
                name = request.model_name
                assert await _poll(lambda: _answered(admin, name) == count, _bound(60))
            farm.terminate()
            # The reader comes back when a gateway that only closes its port would be gone.
            assert not await _poll(lambda: farm.process.poll() is not None, _bound(6))
            answers = 1
            while await asyncio.wait_for(stream.read(), 60) is not grpc.aio.EOF:
                answers += 1
            assert answers == count
        assert farm.process.wait(60) == 0


def _bound(seconds: float) -> float:
    return time.monotonic() + seconds


def _answered(admin: AdminClient, model: str) -> int:
    return sum(m.requests_total for m in admin.snapshot().models if m.name == model)


async def _send(stream: Any, request: ModelInferRequest, count: int) -> None:
    for number in range(count):
        request.id = str(number)
        await stream.write(request)


async def test_sigterm_under_load_fails_no_accepted_request(tmp_path: Path, digits: Digits) -> None:
    with FarmProcess(tmp_path, "--nodes", "2") as farm:
        load = Load(farm.grpc, digits)

        async def stop_later() -> None:
            await load.warm.wait()
            farm.terminate()

        stopper = asyncio.create_task(stop_later())
        # Each caller goes on until the farm refuses it.
        await load.run(concurrency=32, go_on=lambda: len(load.errors) == 0)
        await stopper
        assert load.warm.is_set()
        assert load.wrong == 0
        # What came after the signal was refused in words; nothing that was accepted was
        # dropped, which its caller would see as UNREACHABLE, timed out or failed.
        assert {error.code for error in load.errors} == {ErrorCode.DRAINING}
        assert farm.stop() == 0
        assert farm.survivors == []


def test_a_farm_whose_raylet_died_says_so_and_ends(tmp_path: Path) -> None:
    farm = FarmProcess(tmp_path, "--nodes", "1")
    with farm:
        raylet = next(process for process in farm.family() if process.name() == "raylet")
        raylet.kill()
        assert farm.process.wait(60) == 1
    assert "Ray's raylet ended" in farm.log()
    assert farm.survivors == []


@pytest.mark.parametrize("after_s", [0.0, 1.5])
def test_sigterm_while_it_starts_ends_it_in_good_order(tmp_path: Path, after_s: float) -> None:
    farm = FarmProcess(tmp_path, "--nodes", "1")
    farm.launch()
    wait_until(
        lambda: len(farm.family()) > 1, timeout_s=30, what="Ray's first processes are running"
    )
    with contextlib.suppress(subprocess.TimeoutExpired):
        farm.process.wait(after_s)
    assert farm.stop() == 0
    assert farm.survivors == []
    assert "Traceback" not in farm.log()


async def test_a_burst_waits_in_the_farms_queue(tmp_path: Path, digits: Digits) -> None:
    """gRPC would drop calls beyond its first thousand without a word."""
    with FarmProcess(tmp_path, "--nodes", "1") as farm:
        async with AsyncFarmClient(farm.grpc, retries=0) as client:
            image = {"image": digits.images[:1]}
            replies = await asyncio.gather(
                *(client.infer("digits", image, timeout_s=60) for _ in range(3000)),
                return_exceptions=True,
            )
    refused = [reply for reply in replies if isinstance(reply, BaseException)]
    codes = {error.code for error in refused if isinstance(error, FarmError)}
    assert len(refused) < 1000
    assert codes <= {ErrorCode.QUEUE_FULL}
    assert all(isinstance(error, FarmError) and error.retry_after_s for error in refused)


def test_sigkill_of_the_farm_leaves_no_process(tmp_path: Path) -> None:
    farm = FarmProcess(tmp_path, "--nodes", "1")
    with farm:
        family = farm.family()
        assert any("raylet" in process.name() for process in family)
        farm.process.kill()
        farm.process.wait()
        wait_until(
            lambda: not psutil.wait_procs(family, timeout=0)[1],
            timeout_s=30,
            what="Ray's processes end with the farm that started them",
        )
