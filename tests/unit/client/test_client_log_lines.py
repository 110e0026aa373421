"""A log's end, followed and left."""

from collections.abc import Iterator
from threading import Event, Thread
from typing import Any

import grpc
import pytest
from plain_server import plain_server

from farm.client import AdminClient
from farm.core.errors import FarmError, RequestCancelledError
from farm.core.histories import LogLine
from farm.pb.farm_admin_pb2 import LogLine as LogLineMessage
from farm.pb.farm_admin_pb2 import TailLogResponse

_PATIENCE_S = 10


def _lines(*texts: str) -> TailLogResponse:
    return TailLogResponse(
        lines=[LogLineMessage(unix_ns=7, level="info", text=text) for text in texts]
    )


def test_lines_come_one_by_one_whatever_messages_they_came_in() -> None:
    def tail(request: Any, _: grpc.ServicerContext) -> Iterator[TailLogResponse]:
        assert (request.node_id, request.lines, request.follow) == ("pi-01", 5, False)
        yield _lines("a", "b")
        yield _lines()
        yield _lines("c")

    with plain_server({"TailLog": tail}) as address, AdminClient(address) as admin:
        told = list(admin.log("pi-01", lines=5))
    assert told == [LogLine(unix_ns=7, level="info", text=text) for text in "abc"]


def test_a_reader_that_waits_is_let_go_by_whoever_closes_the_lines() -> None:
    def tail(_: Any, context: grpc.ServicerContext) -> Iterator[TailLogResponse]:
        over = Event()
        context.add_callback(over.set)
        yield _lines("a")
        over.wait(_PATIENCE_S)

    ended: list[FarmError] = []
    read = Event()
    with plain_server({"TailLog": tail}) as address, AdminClient(address) as admin:
        lines = admin.log(follow=True)

        def follow() -> None:
            with pytest.raises(RequestCancelledError) as caught:
                for _ in lines:
                    read.set()
            ended.append(caught.value)

        reader = Thread(target=follow)
        reader.start()
        assert read.wait(_PATIENCE_S)
        lines.close()
        reader.join(_PATIENCE_S)
        lines.close()
    assert len(ended) == 1
