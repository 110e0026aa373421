"""gRPC errors as the farm's own."""

from collections.abc import Iterable
from typing import Any

import grpc

from farm.core.errors import (
    ConfigurationError,
    DeadlineExceededError,
    ErrorCode,
    FarmError,
    IntegrityError,
    RequestCancelledError,
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
    grpc.StatusCode.PERMISSION_DENIED: ErrorCode.PERMISSION_DENIED,
    grpc.StatusCode.UNAUTHENTICATED: ErrorCode.UNAUTHENTICATED,
    grpc.StatusCode.UNIMPLEMENTED: ErrorCode.UNSUPPORTED,
    grpc.StatusCode.RESOURCE_EXHAUSTED: ErrorCode.INVALID_REQUEST,
    grpc.StatusCode.UNAVAILABLE: ErrorCode.UNREACHABLE,
}

# grpc.aio says this, and forgets the server's own status, where a write was the first to meet
# the end of a stream.
_BROKEN_WRITE = "Internal error from Core"

# What grpc says of a call that this side has ended.
_ENDED_HERE = ("Channel closed!", "Locally cancelled by application!")

# What TLS libraries say deep in gRPC's message where no connection came about, and what it
# means. Trying again would not help.
_HANDSHAKES: tuple[tuple[str, type[FarmError], str], ...] = (
    (
        "certificate has expired",
        IntegrityError,
        "the certificate of the gateway at {address} has expired, or this machine's clock is ahead;"
        " `farm bootstrap` renews certificates",
    ),
    (
        "certificate is not yet valid",
        IntegrityError,
        "the certificate of the gateway at {address} is not valid yet; is this machine's clock"
        " behind?",
    ),
    (
        "CERTIFICATE_VERIFY_FAILED",
        IntegrityError,
        "what answers at {address} has no certificate of the CA that you trust; is it the right"
        " address, and ca.pem that of its farm (`farm contexts ls`, FARM_TLS_CA)?",
    ),
    (
        "Hostname Verification Check failed",
        IntegrityError,
        "the certificate of the gateway at {address} is for other names; connect by one that it is"
        " for, or add this one to gateway.names in the inventory and run `farm bootstrap`",
    ),
    (
        "WRONG_VERSION_NUMBER",
        ConfigurationError,
        "what answers at {address} does not encrypt; leave out the CA (FARM_TLS_CA, the context's"
        " or the client's tls) if that is meant",
    ),
)
# A server that ends a connection before a word says nothing about why.
_NO_CONNECTION = "failed to connect"
_NO_ANSWER = (_NO_CONNECTION, "errors resolving")
_ENDED_AT_ONCE = ("Socket closed", "Connection reset")

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
        return _unavailable(details or "", address, retry_after_s)
    if status is grpc.StatusCode.CANCELLED:
        return _cancelled(details or "", address)
    if status is grpc.StatusCode.DEADLINE_EXCEEDED:
        # gRPC's own words for it speak of streams that were removed.
        return DeadlineExceededError(
            f"no answer from {address} within the call's timeout; allow more time, or see with"
            " `farm models ls` how busy the model is"
        )
    return error_class(_BY_STATUS.get(status, ErrorCode.INTERNAL))(details or status.name)


def _unavailable(details: str, address: str, retry_after_s: float | None) -> FarmError:
    for said, meant, message in _HANDSHAKES:
        if said in details:
            return meant(message.format(address=address))
    if _NO_CONNECTION in details and any(said in details for said in _ENDED_AT_ONCE):
        return UnreachableError(
            f"{address} ended the connection at once; it may want TLS (--context, FARM_TLS_CA), or"
            " another certificate than yours, which may have expired (`farm certs show`)",
            retry_after_s=retry_after_s,
        )
    return UnreachableError(
        f"no answer from {address} ({_cause(details)}); is `farm up` running there?",
        retry_after_s=retry_after_s,
    )


def _cancelled(details: str, address: str) -> FarmError:
    """Return what it means that a call was cancelled, which its caller did not do otherwise.

    gRPC's servers drop so what comes in while they stop.
    """
    if details in _ENDED_HERE:
        return RequestCancelledError("the call was ended on this side before its answer came")
    return UnreachableError(f"{address} dropped the call without a word; is it being stopped?")


def _cause(details: str) -> str:
    """Return gRPC's last words on why nobody answers: before them it only names the address."""
    if not details.startswith(_NO_ANSWER):
        return details
    words = details.rstrip("]").rpartition(": ")[2]
    return words[:1].lower() + words[1:]


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
