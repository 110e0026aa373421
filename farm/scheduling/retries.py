"""The budget that keeps retries and hedges from becoming a storm of their own."""


class RetryBudget:
    """A token bucket: each accepted request adds `ratio` of a second run, up to a reserve.

    It begins full, so that a node lost right after the start can be made good. With the
    default ratio of 0.2, second runs never exceed a fifth of the requests for long.
    """

    def __init__(self, *, ratio: float, reserve: int) -> None:
        self._ratio = ratio
        self._reserve = float(reserve)
        self._tokens = float(reserve)

    def deposit(self) -> None:
        """Count an accepted request."""
        self._tokens = min(self._tokens + self._ratio, self._reserve)

    def withdraw(self, requests: int = 1) -> bool:
        """Take second runs of so many requests, if there are as many; else none."""
        if self._tokens < requests:
            return False
        self._tokens -= requests
        return True
