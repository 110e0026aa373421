"""The tables from the farm's error codes to gRPC's, and from its states to the protocol's.

RESOURCE_EXHAUSTED is left to gRPC, which uses it for messages that are too large;
clients may retry UNAVAILABLE, after the pushback where there is one.
"""

from collections.abc import Mapping

from grpc import StatusCode

from farm.core.errors import ErrorCode, FarmError
from farm.core.models import ModelState

STATUS: Mapping[ErrorCode, StatusCode] = {
    ErrorCode.INVALID_REQUEST: StatusCode.INVALID_ARGUMENT,
    ErrorCode.MODEL_NOT_FOUND: StatusCode.NOT_FOUND,
    ErrorCode.MODEL_UNAVAILABLE: StatusCode.UNAVAILABLE,
    ErrorCode.LOAD_FAILED: StatusCode.FAILED_PRECONDITION,
    ErrorCode.QUEUE_FULL: StatusCode.UNAVAILABLE,
    ErrorCode.OVERLOADED: StatusCode.UNAVAILABLE,
    ErrorCode.QUEUE_TIMEOUT: StatusCode.UNAVAILABLE,
    ErrorCode.DEADLINE_EXCEEDED: StatusCode.DEADLINE_EXCEEDED,
    ErrorCode.CANCELLED: StatusCode.CANCELLED,
    ErrorCode.NODE_LOST: StatusCode.UNAVAILABLE,
    ErrorCode.NODE_BUSY: StatusCode.UNAVAILABLE,
    # It failed on this request's data alone, so the caller must change something.
    ErrorCode.EXECUTION_FAILED: StatusCode.INVALID_ARGUMENT,
    ErrorCode.DRAINING: StatusCode.UNAVAILABLE,
    ErrorCode.INTEGRITY: StatusCode.DATA_LOSS,
    ErrorCode.PERMISSION_DENIED: StatusCode.PERMISSION_DENIED,
    ErrorCode.UNAUTHENTICATED: StatusCode.UNAUTHENTICATED,
    ErrorCode.UNSUPPORTED: StatusCode.UNIMPLEMENTED,
    ErrorCode.CONFIGURATION: StatusCode.FAILED_PRECONDITION,
    ErrorCode.UNREACHABLE: StatusCode.UNAVAILABLE,
    ErrorCode.INTERNAL: StatusCode.INTERNAL,
}

# As the model repository extension spells them.
MODEL_STATE: Mapping[ModelState, str] = {
    ModelState.LOADING: "LOADING",
    ModelState.READY: "READY",
    ModelState.UNLOADING: "UNLOADING",
    ModelState.UNAVAILABLE: "UNAVAILABLE",
}

# gRPC clients with a retry policy wait this many milliseconds (gRFC A6).
PUSHBACK_KEY = "grpc-retry-pushback-ms"


def trailers(error: FarmError) -> tuple[tuple[str, str], ...]:
    """Return the trailing metadata of an error: its code, and the pushback if it has one."""
    code = (("farm-error-code", str(error.code)),)
    if error.retry_after_s is None:
        return code
    return (*code, (PUSHBACK_KEY, str(round(error.retry_after_s * 1000))))
