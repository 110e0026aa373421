"""gRPC errors as the farm's own."""

from collections.abc import Iterable
from typing import Any

import grpc

from farm.core.errors import ErrorCode, FarmError, UnreachableError, error_class

# For servers that do not send the farm's own code.
_BY_STATUS = {
    grpc.StatusCode.INVALID_ARGUMENT: ErrorCode.INVALID_REQUEST,
    grpc.StatusCode.NOT_FOUND: ErrorCode.MODEL_NOT_FOUND,
    grpc.StatusCode.DEADLINE_EXCEEDED: ErrorCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED: ErrorCode.CANCELLED,
    grpc.StatusCode.PERMISSION_DENIED: ErrorCode.PERMISSION_DENIED,
    grpc.StatusCode.UNAUTHENTICATED: ErrorCode.PERMISSION_DENIED,
    grpc.StatusCode.UNIMPLEMENTED: ErrorCode.UNSUPPORTED,
    grpc.StatusCode.RESOURCE_EXHAUSTED: ErrorCode.INVALID_REQUEST,
    grpc.StatusCode.UNAVAILABLE: ErrorCode.UNREACHABLE,
}


def to_farm_error(
    status: grpc.StatusCode,
    details: str | None,
    metadata: Iterable[Any],
    address: str,
) -> FarmError:
    """Return what a failed call means; `metadata` holds (key, value) pairs."""
    trailers = dict(metadata)
    pushback = trailers.get("grpc-retry-pushback-ms")
    retry_after_s = int(pushback) / 1000 if pushback is not None else None
    code = trailers.get("farm-error-code")
    if isinstance(code, str) and code in set(ErrorCode):
        return error_class(ErrorCode(code))(details or "", retry_after_s=retry_after_s)
    if status is grpc.StatusCode.UNAVAILABLE:
        return UnreachableError(
            f"no answer from {address} ({details}); is `farm up` running there?",
            retry_after_s=retry_after_s,
        )
    return error_class(_BY_STATUS.get(status, ErrorCode.INTERNAL))(details or status.name)
