"""The operator's client."""

from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

import grpc

from farm.client.channel import DEFAULT_ADDRESS, OPTIONS, admin_methods
from farm.client.errors import to_farm_error
from farm.pb.farm_admin_pb2 import FarmSnapshot, VersionRequest, VersionResponse
from farm.pb.farm_admin_pb2 import WatchSnapshotsRequest as WatchRequest


class AdminClient:
    """Asks a gateway about its farm. Every method raises `FarmError`."""

    def __init__(self, address: str = DEFAULT_ADDRESS) -> None:
        self.address = address
        self._channel = grpc.insecure_channel(address, options=OPTIONS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._channel.close()

    def version(self, *, timeout_s: float = 5.0) -> VersionResponse:
        """Return the gateway's version."""
        method = admin_methods()["Version"]
        call = self._channel.unary_unary(
            method.path,
            request_serializer=method.request_type.SerializeToString,
            response_deserializer=method.response_type.FromString,
        )
        try:
            response: VersionResponse = call(VersionRequest(), timeout=timeout_s)
        except grpc.RpcError as error:
            raise self._translate(error) from error
        return response

    def snapshot(self, *, timeout_s: float = 5.0) -> FarmSnapshot:
        """Return the farm as it is now."""
        return next(self._watch(0, timeout_s))

    def watch(self, interval_s: float) -> Iterator[FarmSnapshot]:
        """Yield the farm every `interval_s` seconds until the gateway goes away."""
        return self._watch(round(interval_s * 1e9), None)

    def _watch(self, interval_ns: int, timeout_s: float | None) -> Iterator[FarmSnapshot]:
        method = admin_methods()["WatchSnapshots"]
        call = self._channel.unary_stream(
            method.path,
            request_serializer=method.request_type.SerializeToString,
            response_deserializer=method.response_type.FromString,
        )
        try:
            yield from call(WatchRequest(interval_ns=interval_ns), timeout=timeout_s)
        except grpc.RpcError as error:
            raise self._translate(error) from error

    def _translate(self, error: grpc.RpcError) -> Exception:
        call: Any = error
        return to_farm_error(
            call.code(), call.details(), call.trailing_metadata() or (), self.address
        )
