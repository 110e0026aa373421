"""Where the event loop leaves what the ledger is to keep."""

from bisect import bisect_left
from collections.abc import Iterable
from itertools import islice
from threading import Lock
from typing import Final, NamedTuple, TypeAlias

import structlog

from farm.core.clock import Clock
from farm.core.errors import ErrorCode
from farm.core.ledger import LATENCY_BOUNDS_S, BatchRecord, Incident, RequestCounts, WindowRecord
from farm.core.models import ModelKey
from farm.engine.ledger.schema import MINUTE_NS
from farm.engine.ledger.sums import RequestKey

_log = structlog.get_logger()

# Records of about 700 bytes that may wait: some 70 MB, the batches of a minute at 1,600 a second.
_MAX_RECORDS: Final = 100_000
# Models times clients times minutes that may wait.
_MAX_COUNTS: Final = 10_000

Record: TypeAlias = BatchRecord | WindowRecord | Incident


class Taken(NamedTuple):
    """All that came since the last time."""

    records: list[Record]
    requests: dict[RequestKey, RequestCounts]


class Intake:
    """Takes records and counts requests, from any thread; whatever is too much is dropped.

    `drops` counts that.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = Lock()
        self._records: list[Record] = []
        # Batches that are not made yet, and how many they will be.
        self._batches: list[tuple[Iterable[BatchRecord], int]] = []
        self._later = 0
        # Hashing a `ModelKey` takes longer than all else here: models are told apart by name.
        self._requests: dict[tuple[int, str, int, str], RequestCounts] = {}
        self.drops = 0

    def put(self, record: Record) -> None:
        """Take a record."""
        with self._lock:
            if len(self._records) < _MAX_RECORDS:
                self._records.append(record)
            else:
                self.drops += 1

    def put_batches(self, records: Iterable[BatchRecord], count: int) -> None:
        """Take so many batches that are made when they are taken out, which takes its time.

        Of those for which there is no room the rest is dropped.
        """
        with self._lock:
            room = min(count, max(_MAX_RECORDS - len(self._records) - self._later, 0))
            self.drops += count - room
            if room:
                self._batches.append((islice(records, room), room))
                self._later += room

    def request(
        self,
        model: ModelKey,
        client: str,
        code: ErrorCode | None,
        latency_s: float,
        *,
        in_time: bool | None,
        request_bytes: int,
        response_bytes: int,
    ) -> None:
        """Count a request."""
        key = (self._clock.unix_ns() // MINUTE_NS, model.name, model.version, client)
        with self._lock:
            counts = self._requests.get(key)
            if counts is None:
                if len(self._requests) >= _MAX_COUNTS:
                    self.drops += 1
                    return
                counts = self._requests[key] = RequestCounts()
            if code is None:
                counts.answered += 1
                counts.latency_s += latency_s
                counts.latencies[bisect_left(LATENCY_BOUNDS_S, latency_s)] += 1
            else:
                counts.failed[code] = counts.failed.get(code, 0) + 1
            if in_time is not None:
                if in_time:
                    counts.in_time += 1
                else:
                    counts.late += 1
            counts.request_bytes += request_bytes
            counts.response_bytes += response_bytes

    def take(self) -> Taken:
        """Return what waits, and be empty."""
        with self._lock:
            records, self._records = self._records, []
            batches, self._batches, self._later = self._batches, [], 0
            requests, self._requests = self._requests, {}
        for made, count in batches:
            self._make(records, made, count)
        return Taken(
            records,
            {
                (minute, ModelKey(name, version), client): counts
                for (minute, name, version, client), counts in requests.items()
            },
        )

    def _make(self, records: list[Record], made: Iterable[BatchRecord], count: int) -> None:
        """Add so many batches; one that cannot be made takes those after it along, no others."""
        before = len(records)
        try:
            records.extend(made)
        except Exception:
            lost = count - (len(records) - before)
            _log.exception("ledger_batches_not_made", dropped=lost)
            with self._lock:
                self.drops += lost
