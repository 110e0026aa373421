"""Every code has one class of error."""

import pytest

from farm.core.errors import ErrorCode, FarmError, error_class


def concrete(cls: type[FarmError] = FarmError) -> list[type[FarmError]]:
    return [sub for direct in cls.__subclasses__() for sub in (direct, *concrete(direct))]


@pytest.mark.parametrize("code", ErrorCode)
def test_a_code_leads_to_its_class_and_back(code: ErrorCode) -> None:
    cls = error_class(code)
    assert issubclass(cls, FarmError)
    assert cls.code is code


def test_no_two_classes_share_a_code() -> None:
    core = [cls for cls in concrete() if cls.__module__ == "farm.core.errors"]
    assert sorted(cls.code for cls in core) == sorted(ErrorCode)


def test_an_error_is_its_message_and_its_pushback() -> None:
    error = error_class(ErrorCode.QUEUE_FULL)("the queue is full", retry_after_s=0.5)
    assert str(error) == error.message == "the queue is full"
    assert error.retry_after_s == 0.5
    assert error_class(ErrorCode.INTERNAL)("a defect").retry_after_s is None
