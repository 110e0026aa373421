"""When a failed call is tried again."""

import random

from farm.core.errors import ErrorCode, FarmError

_FIRST_S = 0.1
_LONGEST_S = 5.0


def retry_delay_s(
    error: FarmError, *, attempt: int, retries: int, time_left_s: float | None, spread: float
) -> float | None:
    """Return how long to wait before trying again, or None to give up.

    A server's pushback is waited for exactly; a server that does not answer is tried again
    after pauses that double, shortened by up to half (`spread`, 0 to 1) so that clients do
    not come back together. Every other error stands: a retry would fail likewise. `attempt`
    counts from 0. A wait that would outlast the call's deadline is not begun.

    This is the farm's own, because the retry libraries log and count through hooks of the
    whole process, and one of those prints on standard output, where commands put data.
    """
    if attempt >= retries:
        return None
    if error.retry_after_s is not None:
        wait_s = error.retry_after_s
    elif error.code is ErrorCode.UNREACHABLE:
        wait_s = min(_FIRST_S * 2**attempt, _LONGEST_S) * (1.0 - spread / 2)
    else:
        return None
    if time_left_s is not None and wait_s >= time_left_s:
        return None
    return wait_s


def spread() -> float:
    """Return a random number from 0 to 1 for `retry_delay_s`."""
    return random.random()  # noqa: S311
