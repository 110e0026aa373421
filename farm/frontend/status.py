"""The one table from the farm's error codes to gRPC's status codes.

RESOURCE_EXHAUSTED is left to gRPC, which uses it for messages that are too large;
clients may retry UNAVAILABLE, after the pushback where there is one.
"""

from collections.abc import Mapping

from grpc import StatusCode

from farm.core.errors import ErrorCode, FarmError

STATUS: Mapping[ErrorCode, StatusCode] = {
    ErrorCode.INVALID_REQUEST: StatusCode.INVALID_ARGUMENT,
    ErrorCode.MODEL_NOT_FOUND: StatusCode.NOT_FOUND,
    ErrorCode.MODEL_UNAVAILABLE: StatusCode.UNAVAILABLE,
    ErrorCode.LOAD_FAILED: StatusCode.FAILED_PRECONDITION,
    ErrorCode.QUEUE_FULL: StatusCode.UNAVAILABLE,
    ErrorCode.QUEUE_TIMEOUT: StatusCode.UNAVAILABLE,
    ErrorCode.DEADLINE_EXCEEDED: StatusCode.DEADLINE_EXCEEDED,
    ErrorCode.CANCELLED: StatusCode.CANCELLED,
    ErrorCode.NODE_LOST: StatusCode.UNAVAILABLE,
    ErrorCode.NODE_BUSY: StatusCode.UNAVAILABLE,
    ErrorCode.EXECUTION_FAILED: StatusCode.INTERNAL,
    ErrorCode.DRAINING: StatusCode.UNAVAILABLE,
    ErrorCode.INTEGRITY: StatusCode.DATA_LOSS,
    ErrorCode.PERMISSION_DENIED: StatusCode.PERMISSION_DENIED,
    ErrorCode.UNSUPPORTED: StatusCode.UNIMPLEMENTED,
    ErrorCode.CONFIGURATION: StatusCode.FAILED_PRECONDITION,
    ErrorCode.UNREACHABLE: StatusCode.UNAVAILABLE,
    ErrorCode.INTERNAL: StatusCode.INTERNAL,
}

# gRPC clients with a retry policy wait this many milliseconds (gRFC A6).
PUSHBACK_KEY = "grpc-retry-pushback-ms"


def trailers(error: FarmError) -> tuple[tuple[str, str], ...]:
    """Return the trailing metadata of an error: its code, and the pushback if it has one."""
    code = (("farm-error-code", str(error.code)),)
    if error.retry_after_s is None:
        return code
    return (*code, (PUSHBACK_KEY, str(round(error.retry_after_s * 1000))))
