"""Logs as operators elsewhere see them."""

from typing import Any, cast

import pytest
import structlog

from farm.core.errors import InvalidRequestError
from farm.core.pool import WorkerPool
from farm.frontend import log_service as module
from farm.frontend.log_service import LogService
from farm.logs import RecentLines
from farm.pb.farm_admin_pb2 import TailLogRequest


class NodeLogs:
    """The part of a pool that reads logs."""

    node_ids = ("pi-01",)

    def __init__(self) -> None:
        self.text = ""

    async def read_log(self, _node_id: str, after: int) -> tuple[int, str]:
        return len(self.text), self.text[after:]


@pytest.fixture
def recent() -> RecentLines:
    return RecentLines()


@pytest.fixture
def pool() -> NodeLogs:
    return NodeLogs()


@pytest.fixture
def service(recent: RecentLines, pool: NodeLogs, monkeypatch: pytest.MonkeyPatch) -> LogService:
    monkeypatch.setattr(module, "_GATEWAY_S", 0.0)
    monkeypatch.setattr(module, "_NODE_S", 0.0)
    return LogService(pool=cast(WorkerPool, pool), gateway=recent)


def logged(recent: RecentLines, *events: str) -> None:
    log = structlog.wrap_logger(
        structlog.ReturnLogger(), processors=[structlog.processors.add_log_level, recent, _drop]
    )
    for event in events:
        log.info(event, node="pi-01")


def _drop(*_: Any) -> str:
    return ""


async def told(service: LogService, request: TailLogRequest) -> list[list[str]]:
    return [
        [line.text for line in message.lines]
        async for message in service.TailLog(request, cast(Any, None))
    ]


async def test_the_last_lines_of_the_gateways_log(service: LogService, recent: RecentLines) -> None:
    logged(recent, "one", "two", "three")
    assert await told(service, TailLogRequest(lines=2)) == [["two node=pi-01", "three node=pi-01"]]
    assert await told(service, TailLogRequest(lines=0)) == [[]]


async def test_what_is_logged_meanwhile(service: LogService, recent: RecentLines) -> None:
    logged(recent, "one")
    messages = service.TailLog(TailLogRequest(lines=9, follow=True), cast(Any, None))
    assert [line.level for line in (await anext(messages)).lines] == ["info"]
    logged(recent, "two")
    assert [line.text for line in (await anext(messages)).lines] == ["two node=pi-01"]
    await cast(Any, messages).aclose()


async def test_a_nodes_log(service: LogService, pool: NodeLogs) -> None:
    pool.text = "a warning\nanother\n"
    messages = service.TailLog(
        TailLogRequest(node_id="pi-01", lines=1, follow=True), cast(Any, None)
    )
    assert [line.text for line in (await anext(messages)).lines] == ["another"]
    pool.text += "a third\n"
    assert [line.text for line in (await anext(messages)).lines] == ["a third"]
    await cast(Any, messages).aclose()


async def test_a_node_that_the_farm_does_not_have(service: LogService) -> None:
    with pytest.raises(InvalidRequestError, match="no node 'pi-99'"):
        await told(service, TailLogRequest(node_id="pi-99"))


def test_lines_that_are_too_old_are_not_kept(recent: RecentLines) -> None:
    logged(recent, *map(str, range(2_100)))
    count, lines = recent.after(50)
    assert count == 2_100
    assert len(lines) == 2_000
    assert recent.after(2_099) == (2_100, lines[-1:])
    assert recent.after(9_999) == (2_100, [])
