"""What an operator sees of a real farm under traffic, and a node's restart meanwhile."""

import asyncio
import time
from collections.abc import Callable

import pytest
from digit_load import Load
from farm_process import FarmProcess

from farm.client import AdminClient
from farm.client.snapshots import of_snapshot
from farm.core.snapshots import FarmSnapshot

pytestmark = pytest.mark.integration

BOUND_S = 60.0
NODE = "local-3"


async def test_a_restart_under_traffic_fails_no_request_and_is_told(
    farm: FarmProcess, load: Load
) -> None:
    with AdminClient(farm.grpc) as admin:

        def seen() -> FarmSnapshot:
            return of_snapshot(admin.snapshot())

        known = await asyncio.to_thread(newest, admin)
        done = asyncio.Event()
        traffic = asyncio.create_task(load.run(concurrency=16, go_on=lambda: not done.is_set()))
        try:
            await until(lambda: load.nodes[NODE] > 0)
            before = next(node for node in seen().nodes if node.node_id == NODE)
            assert before.profile is not None
            assert before.work.answers_total > 0
            assert before.work.joules > 0
            details = await asyncio.to_thread(admin.describe_node, NODE)
            assert {model.model.name for model in details.models if model.ready} >= {"digits"}
            restarted = await asyncio.to_thread(admin.restart, NODE)
            assert restarted.incarnation != before.profile.incarnation
            had = load.nodes[NODE]
            await until(lambda: load.nodes[NODE] > had)
        finally:
            done.set()
            await traffic
        assert load.errors == []
        assert load.wrong == 0

        farm_now = seen()
        digits = next(model for model in farm_now.models if model.key.name == "digits")
        assert sum(digits.latencies) >= sum(load.nodes.values())
        assert farm_now.prices.baseline_cost
        assert farm_now.prices.answers >= sum(load.nodes.values())
        await until(lambda: {"operator_acted", "node_restarted"} <= kinds(admin, known))
        points = await asyncio.to_thread(admin.history, NODE)
        assert max(point.requests_per_s or 0.0 for point in points) > 0
        lines = await asyncio.to_thread(lambda: list(admin.log(lines=500)))
        assert any("restarting" in line.text and NODE in line.text for line in lines)
        assert isinstance(await asyncio.to_thread(lambda: list(admin.log(NODE))), list)


def newest(admin: AdminClient) -> int:
    """The number of the latest event that the gateway remembers."""
    for told, _ in admin.events():
        return told[-1].number
    return 0


def kinds(admin: AdminClient, after: int) -> set[str]:
    """What has happened to the node since an event."""
    for told, _ in admin.events(after):
        return {event.kind for event in told if event.subject == NODE}
    return set()


async def until(reached: Callable[[], bool]) -> None:
    ends = time.monotonic() + BOUND_S
    while not await asyncio.to_thread(reached):
        assert time.monotonic() < ends, "waited in vain"
        await asyncio.sleep(0.1)
