"""The health service by itself: who watches and does not read keeps nobody waiting."""

import asyncio
from typing import Any

from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from farm.frontend.health_service import HealthService

SERVING, NOT_SERVING = HealthCheckResponse.SERVING, HealthCheckResponse.NOT_SERVING
NO_CONTEXT: Any = None


async def test_a_watcher_learns_what_holds_when_it_reads() -> None:
    health = HealthService(("", "a service"))
    lazy = health.Watch(HealthCheckRequest(), NO_CONTEXT)
    keen = health.Watch(HealthCheckRequest(service="a service"), NO_CONTEXT)
    assert (await anext(lazy)).status == NOT_SERVING
    for serving in (True, False, True):
        health.set_serving(serving)
        assert (await anext(keen)).status == (SERVING if serving else NOT_SERVING)
    assert (await anext(lazy)).status == SERVING
    # What changed back meanwhile is no news.
    waiting = asyncio.ensure_future(anext(lazy))
    health.set_serving(True)
    await asyncio.sleep(0)
    health.drain()
    assert (await asyncio.wait_for(waiting, 10)).status == NOT_SERVING


async def test_a_service_that_is_none_of_the_gateways_is_unknown() -> None:
    health = HealthService(("",))
    watch = health.Watch(HealthCheckRequest(service="another"), NO_CONTEXT)
    assert (await anext(watch)).status == HealthCheckResponse.SERVICE_UNKNOWN
