"""Two frontends on one address: where calls go, and when the older one is left alone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import numpy as np
import pytest
from fake_dataplane import FakeDataPlane, make_frontend
from grpc_health.v1 import health_pb2, health_pb2_grpc

from farm.client import AsyncFarmClient
from farm.core.errors import ConfigurationError
from farm.frontend.server import Frontend

INPUTS = {"x": np.array([[1, 2]], np.uint8)}
OWN_CONNECTION = [("grpc.use_local_subchannel_pool", 1)]
# No connection ends by its age while a test runs.
AGE_S = 60.0
WAIT_S = 10.0


@asynccontextmanager
async def sharing(address: str, dataplane: FakeDataPlane) -> AsyncIterator[Frontend]:
    frontend = make_frontend(dataplane, address=address, connection_age_s=AGE_S)
    try:
        await frontend.start(serving=True)
        yield frontend
    finally:
        await frontend.stop(grace_s=0.0)


async def infer(address: str) -> None:
    async with AsyncFarmClient(address, retries=0) as client:
        await client.infer("echo", INPUTS, timeout_s=WAIT_S)


async def test_the_one_that_listens_last_gets_new_connections() -> None:
    older, newer = FakeDataPlane(), FakeDataPlane()
    async with sharing("127.0.0.1:0", older) as first:
        address = f"127.0.0.1:{first.port}"
        async with AsyncFarmClient(address, retries=0) as kept:
            await kept.infer("echo", INPUTS, timeout_s=WAIT_S)
            async with sharing(address, newer):
                await kept.infer("echo", INPUTS, timeout_s=WAIT_S)
                assert (len(older.calls), len(newer.calls)) == (2, 0)
        older.calls.clear()
    # Clients of one process share connections; this one has ended.
    async with sharing(address, older), sharing(address, newer):
        for _ in range(10):
            await infer(address)
        assert (len(older.calls), len(newer.calls)) == (0, 10)


async def test_a_newer_one_that_ends_leaves_the_older_in_charge() -> None:
    older, newer = FakeDataPlane(), FakeDataPlane()
    async with sharing("127.0.0.1:0", older) as first:
        address = f"127.0.0.1:{first.port}"
        async with sharing(address, newer):
            await infer(address)
        await infer(address)
    assert (len(older.calls), len(newer.calls)) == (1, 1)


async def test_health_says_at_once_that_it_serves() -> None:
    async with sharing("127.0.0.1:0", FakeDataPlane()) as frontend:
        address = f"127.0.0.1:{frontend.port}"
        async with grpc.aio.insecure_channel(address, options=OWN_CONNECTION) as channel:
            check = health_pb2.HealthCheckRequest(service="")
            answer: Any = await health_pb2_grpc.HealthStub(channel).Check(check)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_a_retiring_one_waits_for_its_connections() -> None:
    async with sharing("127.0.0.1:0", FakeDataPlane()) as frontend:
        await asyncio.wait_for(frontend.moved(), WAIT_S)
        client = AsyncFarmClient(f"127.0.0.1:{frontend.port}", retries=0)
        await client.infer("echo", INPUTS, timeout_s=WAIT_S)
        moved = asyncio.create_task(frontend.moved())
        await client.infer("echo", INPUTS, timeout_s=WAIT_S)
        assert not moved.done()
        await client.close()
        await asyncio.wait_for(moved, WAIT_S)


async def test_nobody_shares_an_address_without_being_told_to() -> None:
    async with sharing("127.0.0.1:0", FakeDataPlane()) as first:
        alone = make_frontend(FakeDataPlane(), address=f"127.0.0.1:{first.port}")
        with pytest.raises(ConfigurationError, match="cannot be bound"):
            await alone.start()
        await alone.stop(grace_s=0.0)
        # Whoever is there alone has nobody to wait for.
        await asyncio.wait_for(alone.moved(), WAIT_S)
