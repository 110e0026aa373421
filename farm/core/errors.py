"""One tree of errors, each with a code that the edges translate.

A message says what happened, why, and what to do next; it is shown to clients as it
stands, so it never holds a path, a traceback or another client's data.
"""

from enum import StrEnum
from typing import ClassVar


class ErrorCode(StrEnum):
    """What went wrong, independent of transport. `frontend/status.py` maps it to gRPC."""

    INVALID_REQUEST = "invalid_request"
    MODEL_NOT_FOUND = "model_not_found"
    MODEL_UNAVAILABLE = "model_unavailable"
    LOAD_FAILED = "load_failed"
    QUEUE_FULL = "queue_full"
    OVERLOADED = "overloaded"
    QUEUE_TIMEOUT = "queue_timeout"
    DEADLINE_EXCEEDED = "deadline_exceeded"
    CANCELLED = "cancelled"
    NODE_LOST = "node_lost"
    NODE_BUSY = "node_busy"
    EXECUTION_FAILED = "execution_failed"
    DRAINING = "draining"
    INTEGRITY = "integrity"
    PERMISSION_DENIED = "permission_denied"
    UNAUTHENTICATED = "unauthenticated"
    UNSUPPORTED = "unsupported"
    CONFIGURATION = "configuration"
    UNREACHABLE = "unreachable"
    INTERNAL = "internal"


class FarmError(Exception):
    """Base of every error the farm raises on purpose.

    `retry_after_s` is the pushback: the seconds after which a retry may succeed, or
    None where no retry is advised.
    """

    code: ClassVar[ErrorCode] = ErrorCode.INTERNAL

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after_s = retry_after_s


class InvalidRequestError(FarmError):
    """The request itself is wrong; the same request will fail again."""

    code = ErrorCode.INVALID_REQUEST


class ModelNotFoundError(FarmError):
    """No such model, or no such version of it."""

    code = ErrorCode.MODEL_NOT_FOUND


class ModelUnavailableError(FarmError):
    """The model is known but not served now: loading, refused, or unloaded."""

    code = ErrorCode.MODEL_UNAVAILABLE


class LoadFailedError(FarmError):
    """A model could not be loaded as asked; what was served before is served still."""

    code = ErrorCode.LOAD_FAILED


class QueueFullError(FarmError):
    """The model's queue is at its bound; come back after the pushback."""

    code = ErrorCode.QUEUE_FULL


class OverloadedError(FarmError):
    """The farm is too busy to answer within the request's deadline."""

    code = ErrorCode.OVERLOADED


class QueueTimeoutError(FarmError):
    """The request waited longer than its queueing timeout and was never run."""

    code = ErrorCode.QUEUE_TIMEOUT


class DeadlineExceededError(FarmError):
    """The caller's deadline passed."""

    code = ErrorCode.DEADLINE_EXCEEDED


class RequestCancelledError(FarmError):
    """The caller went away."""

    code = ErrorCode.CANCELLED


class NodeLostError(FarmError):
    """The node died under the request and no retry was left."""

    code = ErrorCode.NODE_LOST


class NodeBusyError(FarmError):
    """The node has no free slot; try another one."""

    code = ErrorCode.NODE_BUSY


class ExecutionFailedError(FarmError):
    """The model raised while it ran on this request alone."""

    code = ErrorCode.EXECUTION_FAILED


class DrainingError(FarmError):
    """The gateway is shutting down and takes no new requests."""

    code = ErrorCode.DRAINING


class IntegrityError(FarmError):
    """Bytes do not have the digest they should have."""

    code = ErrorCode.INTEGRITY


class PermissionDeniedError(FarmError):
    """The peer may not call this method."""

    code = ErrorCode.PERMISSION_DENIED


class UnauthenticatedError(PermissionDeniedError):
    """What the peer shows of itself is not good, or not any more."""

    code = ErrorCode.UNAUTHENTICATED


class UnsupportedError(FarmError):
    """A valid request for something this farm does not do."""

    code = ErrorCode.UNSUPPORTED


class ConfigurationError(FarmError):
    """A setting, file or flag is wrong; the message names it."""

    code = ErrorCode.CONFIGURATION


class UnreachableError(FarmError):
    """A gateway or host did not answer."""

    code = ErrorCode.UNREACHABLE


class InternalError(FarmError):
    """A defect of the farm. The details are in the gateway's log, never in the message."""

    code = ErrorCode.INTERNAL


def error_class(code: ErrorCode) -> type[FarmError]:
    """Return the class of the tree that carries `code`."""
    return _BY_CODE[code]


_BY_CODE: dict[ErrorCode, type[FarmError]] = {
    cls.code: cls
    for cls in (
        InvalidRequestError,
        ModelNotFoundError,
        ModelUnavailableError,
        LoadFailedError,
        QueueFullError,
        OverloadedError,
        QueueTimeoutError,
        DeadlineExceededError,
        RequestCancelledError,
        NodeLostError,
        NodeBusyError,
        ExecutionFailedError,
        DrainingError,
        IntegrityError,
        PermissionDeniedError,
        UnauthenticatedError,
        UnsupportedError,
        ConfigurationError,
        UnreachableError,
        InternalError,
    )
}
