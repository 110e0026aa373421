"""Every error code has its status, and tells clients what they may do."""

from grpc import StatusCode

from farm.core.errors import ErrorCode, InternalError, QueueFullError
from farm.frontend.status import STATUS, trailers


def test_the_table_covers_every_code_and_no_other() -> None:
    assert set(STATUS) == set(ErrorCode)


def test_no_error_is_reported_as_success_or_as_gRPCs_own() -> None:  # noqa: N802
    taken = {StatusCode.OK, StatusCode.UNKNOWN, StatusCode.RESOURCE_EXHAUSTED}
    assert taken.isdisjoint(STATUS.values())


def test_what_may_be_retried_is_unavailable() -> None:
    retried = {code for code, status in STATUS.items() if status is StatusCode.UNAVAILABLE}
    assert retried == {
        ErrorCode.MODEL_UNAVAILABLE,
        ErrorCode.QUEUE_FULL,
        ErrorCode.OVERLOADED,
        ErrorCode.QUEUE_TIMEOUT,
        ErrorCode.NODE_LOST,
        ErrorCode.NODE_BUSY,
        ErrorCode.DRAINING,
        ErrorCode.UNREACHABLE,
    }


def test_the_callers_own_faults_have_statuses_of_their_own() -> None:
    assert STATUS[ErrorCode.INVALID_REQUEST] is StatusCode.INVALID_ARGUMENT
    assert STATUS[ErrorCode.MODEL_NOT_FOUND] is StatusCode.NOT_FOUND
    assert STATUS[ErrorCode.DEADLINE_EXCEEDED] is StatusCode.DEADLINE_EXCEEDED
    assert STATUS[ErrorCode.PERMISSION_DENIED] is StatusCode.PERMISSION_DENIED
    assert STATUS[ErrorCode.UNSUPPORTED] is StatusCode.UNIMPLEMENTED


def test_trailers_hold_the_code_and_the_pushback() -> None:
    assert trailers(InternalError("x")) == (("farm-error-code", "internal"),)
    assert trailers(QueueFullError("x", retry_after_s=0.25)) == (
        ("farm-error-code", "queue_full"),
        ("grpc-retry-pushback-ms", "250"),
    )
