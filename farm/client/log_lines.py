"""A log as it goes on, until its reader has enough."""

from collections.abc import Iterator
from typing import Any, Self

import grpc

from farm.client.errors import of_call
from farm.client.operations import of_log_line
from farm.core.histories import LogLine
from farm.pb.farm_admin_pb2 import LogLine as LogLineMessage


class LogLines:
    """The lines of a log, one after the other.

    Any thread may close it; one that waits for the next line then gets `RequestCancelledError`.
    """

    def __init__(self, call: Any, address: str) -> None:
        """`call` is gRPC's own, `address` the gateway's."""
        self._call = call
        self._address = address
        self._told: Iterator[LogLineMessage] = iter(())

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> LogLine:
        while (line := next(self._told, None)) is None:
            try:
                self._told = iter(next(self._call).lines)
            except grpc.RpcError as failed:
                raise of_call(failed, self._address) from failed
        return of_log_line(line)

    def close(self) -> None:
        """End the call. Safe to repeat."""
        self._call.cancel()
