"""Percentiles of many latencies in little memory."""

import math

# Buckets grow by 1 % from a microsecond on, so a percentile is right to half a per cent, and
# an hour's latency needs 2,211 of them.
_FIRST_S = 1e-6
_GROWTH = 1.01
_LOG_GROWTH = math.log(_GROWTH)


class Latencies:
    """Counts durations by their size; memory does not grow with their number."""

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self._sum_s = 0.0
        self._max_s = 0.0
        self._min_s = math.inf
        self.count = 0

    def add(self, seconds: float) -> None:
        """Count a duration; a negative one, which a clock may give, counts as 0."""
        seconds = max(seconds, 0.0)
        bucket = math.ceil(math.log(max(seconds / _FIRST_S, 1.0)) / _LOG_GROWTH)
        self._counts[bucket] = self._counts.get(bucket, 0) + 1
        self._sum_s += seconds
        self._max_s = max(self._max_s, seconds)
        self._min_s = min(self._min_s, seconds)
        self.count += 1

    @property
    def mean_s(self) -> float | None:
        """The exact mean; None without durations."""
        return self._sum_s / self.count if self.count else None

    @property
    def max_s(self) -> float | None:
        """The exact maximum; None without durations."""
        return self._max_s if self.count else None

    def percentile_s(self, percent: float) -> float | None:
        """Return the duration that `percent` of all do not exceed, by nearest rank."""
        if not self.count:
            return None
        rank = max(math.ceil(self.count * percent / 100), 1)
        if rank == self.count:
            return self._max_s
        seen = 0
        for bucket in sorted(self._counts):
            seen += self._counts[bucket]
            if seen >= rank:
                middle = _FIRST_S * math.exp((bucket - 0.5) * _LOG_GROWTH)
                return min(max(middle, self._min_s), self._max_s)
        raise AssertionError("counts do not add up")
