"""gRPC errors as the farm's own."""

from collections.abc import Iterable
from typing import Any

import grpc

from farm.core.errors import (
    DeadlineExceededError,
    ErrorCode,
    FarmError,
    UnreachableError,
    error_class,
)
from farm.pb.open_inference_pb2 import ModelStreamInferResponse

# For servers that do not send the farm's own code.
_BY_STATUS = {
    grpc.StatusCode.INVALID_ARGUMENT: ErrorCode.INVALID_REQUEST,
    grpc.StatusCode.NOT_FOUND: ErrorCode.MODEL_NOT_FOUND,
    grpc.StatusCode.FAILED_PRECONDITION: ErrorCode.LOAD_FAILED,
    grpc.StatusCode.DEADLINE_EXCEEDED: ErrorCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED: ErrorCode.CANCELLED,
    grpc.StatusCode.PERMISSION_DENIED: ErrorCode.PERMISSION_DENIED,
    grpc.StatusCode.UNAUTHENTICATED: ErrorCode.PERMISSION_DENIED,
    grpc.StatusCode.UNIMPLEMENTED: ErrorCode.UNSUPPORTED,
    grpc.StatusCode.RESOURCE_EXHAUSTED: ErrorCode.INVALID_REQUEST,
    grpc.StatusCode.UNAVAILABLE: ErrorCode.UNREACHABLE,
}

# grpc.aio says this, and forgets the server's own status, where a write was the first to meet
# the end of a stream.
_BROKEN_WRITE = "Internal error from Core"

# Parameters of a failed answer in a stream, which has no trailing metadata of its own.
_STREAM_CODE = "farm_error_code"
_STREAM_PUSHBACK_MS = "farm_retry_after_ms"


def of_call(call: Any, address: str) -> FarmError:
    """Return what a failed call means, given gRPC's exception of either API."""
    if call.details() == _BROKEN_WRITE:
        return UnreachableError(f"the stream to {address} broke while it was written to")
    return to_farm_error(call.code(), call.details(), call.trailing_metadata() or (), address)


def to_farm_error(
    status: grpc.StatusCode,
    details: str | None,
    metadata: Iterable[Any],
    address: str,
) -> FarmError:
    """Return what a failed call means; `metadata` holds (key, value) pairs."""
    trailers = dict(metadata)
    retry_after_s = _seconds(trailers.get("grpc-retry-pushback-ms"))
    known = _known(trailers.get("farm-error-code"))
    if known is not None:
        return error_class(known)(details or "", retry_after_s=retry_after_s)
    if status is grpc.StatusCode.UNAVAILABLE:
        return UnreachableError(
            f"no answer from {address} ({details}); is `farm up` running there?",
            retry_after_s=retry_after_s,
        )
    if status is grpc.StatusCode.DEADLINE_EXCEEDED:
        # gRPC's own words for it speak of streams that were removed.
        return DeadlineExceededError(
            f"no answer from {address} within the call's timeout; allow more time, or see with"
            " `farm models ls` how busy the model is"
        )
    return error_class(_BY_STATUS.get(status, ErrorCode.INTERNAL))(details or status.name)


def of_stream(answer: ModelStreamInferResponse) -> FarmError:
    """Return the error of one request of a stream.

    The protocol gives it words and nothing else, so it is a plain `FarmError`, unless the
    server names the farm's code among the answer's parameters.
    """
    parameters = answer.infer_response.parameters
    known = _known(parameters[_STREAM_CODE].string_param) if _STREAM_CODE in parameters else None
    retry_after_s = (
        _seconds(parameters[_STREAM_PUSHBACK_MS].int64_param)
        if _STREAM_PUSHBACK_MS in parameters
        else None
    )
    made = error_class(known) if known is not None else FarmError
    return made(answer.error_message, retry_after_s=retry_after_s)


def _known(code: object) -> ErrorCode | None:
    return ErrorCode(code) if isinstance(code, str) and code in set(ErrorCode) else None


def _seconds(pushback_ms: object) -> float | None:
    """Return a pushback; a negative or unreadable one advises against a retry (gRFC A6)."""
    try:
        milliseconds = int(pushback_ms)  # type: ignore[call-overload]
    except (TypeError, ValueError):
        return None
    return milliseconds / 1000 if milliseconds >= 0 else None
