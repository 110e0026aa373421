"""Time for tests in which something never comes about."""


class Minutes:
    """Stands for the module `time`: every look at it takes a minute, and no sleep any."""

    def __init__(self) -> None:
        self._now_s = 0.0

    def monotonic(self) -> float:
        self._now_s += 60.0
        return self._now_s

    def sleep(self, _: float) -> None:
        return
