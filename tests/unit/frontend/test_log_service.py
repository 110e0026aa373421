"""Logs as operators elsewhere see them."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import pytest
import structlog

from farm import logs
from farm.core.errors import InvalidRequestError, NodeLostError
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
        self.losses = 0

    async def read_log(self, _node_id: str, after: int) -> tuple[int, str]:
        if self.losses:
            self.losses -= 1
            raise NodeLostError("it restarts")
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
    pool.text = "a warning\n\x1b[31manother\n"
    messages = service.TailLog(
        TailLogRequest(node_id="pi-01", lines=1, follow=True), cast(Any, None)
    )
    assert [line.text for line in (await anext(messages)).lines] == [r"\x1b[31manother"]
    pool.text += "a third\n"
    pool.losses = 3
    assert [line.text for line in (await anext(messages)).lines] == ["a third"]
    await cast(Any, messages).aclose()


async def test_a_node_that_is_not_up(service: LogService, pool: NodeLogs) -> None:
    pool.losses = 1
    with pytest.raises(NodeLostError):
        await told(service, TailLogRequest(node_id="pi-01", follow=True))


async def test_a_node_that_the_farm_does_not_have(service: LogService) -> None:
    with pytest.raises(InvalidRequestError, match="no node 'pi-99'"):
        await told(service, TailLogRequest(node_id="pi-99"))


async def test_what_came_too_fast_is_told(
    service: LogService, recent: RecentLines, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged(recent, "one")
    messages = service.TailLog(TailLogRequest(lines=9, follow=True), cast(Any, None))
    await anext(messages)
    monkeypatch.setattr(logs, "_RECENT_LINES", 2)
    logged(recent, "two", "three", "four", "five")
    assert [line.text for line in (await anext(messages)).lines] == [
        "(2 lines were left out)", "four node=pi-01", "five node=pi-01",
    ]  # fmt: skip
    await cast(Any, messages).aclose()


def test_lines_that_are_too_old_are_not_kept(recent: RecentLines) -> None:
    logged(recent, *map(str, range(2_100)))
    count, lines = recent.after(50)
    assert count == 2_100
    assert len(lines) == 2_000
    assert recent.after(2_099) == (2_100, lines[-1:])
    assert recent.after(9_999) == (2_100, [])


def test_what_is_kept_has_a_bound_in_bytes(recent: RecentLines) -> None:
    logged(recent, "\u00e9" * 100_000)
    _, (line,) = recent.after(0)
    assert line.text == "\u00e9" * 4_096
    logged(recent, *["x" * 8_000] * 100)
    _, lines = recent.after(0)
    assert 500_000 < sum(len(line.text) for line in lines) <= 512 * 1024
    logged(recent, "y" * 8_000)
    assert len(recent.after(0)[1]) == len(lines)


def test_each_line_of_a_traceback_is_a_line(recent: RecentLines) -> None:
    logged(recent, "it failed\nTraceback:\n  here")
    assert [line.text for line in recent.after(0)[1]] == [
        "it failed",
        "Traceback:",
        "  here node=pi-01",
    ]


def test_threads_that_log_at_once_lose_nothing(recent: RecentLines) -> None:
    told: list[str] = []
    with ThreadPoolExecutor() as threads:
        ends = [threads.submit(logged, recent, *[f"{n}-{i}" for i in range(200)]) for n in range(8)]
        position = 0
        while not all(end.done() for end in ends) or recent.after(position)[1]:
            position, lines = recent.after(position)
            told += [line.text.split()[0] for line in lines]
    assert len(told) == position == 1_600
    assert set(told) == {f"{n}-{i}" for n in range(8) for i in range(200)}
