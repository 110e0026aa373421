"""The story of requests and batches in the gateway's log: what failed, always; all of it, if asked.

Every line names its batch and the requests in it, by the gateway's own numbers and by what their
clients call them, so that the story of either can be searched for.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

import structlog

from farm.core.clock import Clock
from farm.core.errors import ErrorCode, FarmError
from farm.core.requests import Batch, BatchFailed, InferenceRequest, LedgerEntry, Placement
from farm.core.text import printable

_log = structlog.get_logger()

# They tell of load, of clients or of a shutdown, not of a fault: overload would fill the log.
_ORDINARY: Final = frozenset(
    {
        ErrorCode.INVALID_REQUEST,
        ErrorCode.MODEL_NOT_FOUND,
        ErrorCode.MODEL_UNAVAILABLE,
        ErrorCode.UNSUPPORTED,
        ErrorCode.QUEUE_FULL,
        ErrorCode.OVERLOADED,
        ErrorCode.QUEUE_TIMEOUT,
        ErrorCode.DEADLINE_EXCEEDED,
        ErrorCode.CANCELLED,
        ErrorCode.NODE_BUSY,
        ErrorCode.DRAINING,
    }
)
# Lines a second where nobody asked for all, of a model that fails on every request for example.
MOST_PER_S: Final = 20
# Of a line: requests that are named, and characters of what a client calls one.
MOST_NAMED: Final = 32
_MOST_CHARACTERS: Final = 80
_MOST_REASON: Final = 400


class RequestLog:
    """Told by the engine of what it carries out. Nothing is made for lines that are not written.

    `verbose` says whether every line is wanted, `waits` whether a request has no reply yet.
    """

    def __init__(
        self, *, clock: Clock, verbose: Callable[[], bool], waits: Callable[[int], bool]
    ) -> None:
        self._clock = clock
        self._verbose = verbose
        self._waits = waits
        # Batches that are not settled, and what came back from those that failed.
        self._batches: dict[int, Batch] = {}
        self._reasons: dict[int, str] = {}
        # Requests that wait and were in a batch that failed.
        self._failed: set[int] = set()
        # And the last batch of each that came back without its answer.
        self._unanswered_by: dict[int, int] = {}
        self._second = 0.0
        self._told = 0
        self._left_out = 0

    @property
    def remembered(self) -> int:
        """How many batches and requests it knows: none once all are settled and answered."""
        told_of_requests = len(self._failed) + len(self._unanswered_by)
        return len(self._batches) + len(self._reasons) + told_of_requests

    def dispatched(self, batch: Batch, placement: Placement) -> None:
        """Note a batch that is sent to a node."""
        self._batches[batch.id] = batch
        if batch.trigger == "hedge":
            if self._has_room():
                self._tell(_log.info, "batch_hedged", **_batch(batch), node=placement.node_id)
        elif self._failed:
            self._retry(batch, placement)
        if self._verbose():
            _log.debug(
                "batch_dispatched",
                **_batch(batch),
                node=placement.node_id,
                rows=batch.rows,
                trigger=batch.trigger,
                policy=placement.policy,
                reason=placement.reason,
            )

    def came_back(self, failed: BatchFailed) -> None:
        """Note why a batch failed, before it is settled."""
        batch = self._batches.get(failed.batch_id)
        if batch is None:
            return
        self._reasons[batch.id] = failed.message
        for member in batch.members:
            if self._waits(member.id):
                self._unanswered_by[member.id] = batch.id

    def settled(self, entry: LedgerEntry) -> None:
        """Note how a batch ended."""
        batch = self._batches.pop(entry.batch_id, None)
        reason = self._reasons.pop(entry.batch_id, "") if self._reasons else ""
        if batch is None:
            return
        if entry.timing is None:
            self._failure(batch, entry, reason)
        elif self._verbose():
            _log.debug(
                "batch_completed",
                **_batch(batch),
                node=entry.node_id,
                wasted=entry.wasted,
                compute_us=round(entry.compute_s * 1e6),
            )

    def answered(self, request: InferenceRequest) -> None:
        """Note a request that got its answer."""
        if self._failed:
            self._failed.discard(request.id)
        if self._unanswered_by:
            self._unanswered_by.pop(request.id, None)

    def refused(self, request: InferenceRequest, error: FarmError, latency_s: float) -> None:
        """Note a request that got an error."""
        self._failed.discard(request.id)
        batch_id = self._unanswered_by.pop(request.id, None)
        ordinary = error.code in _ORDINARY
        if self._verbose() if ordinary else self._has_room():
            self._tell(
                _log.debug if ordinary else _log.warning,
                "request_refused" if ordinary else "request_failed",
                request=request.id,
                id=_shown(request.given_id),
                **({} if batch_id is None else {"batch": batch_id}),
                model=str(request.model),
                latency_us=round(latency_s * 1e6),
                **_error(error),
            )

    def turned_away(self, given_id: str, model: str, error: FarmError) -> None:
        """Note a request that was refused before it had a number."""
        if self._verbose():
            _log.debug("request_refused", id=_shown(given_id), model=_shown(model), **_error(error))

    def _retry(self, batch: Batch, placement: Placement) -> None:
        again = [member for member in batch.members if member.id in self._failed]
        if again and self._has_room():
            self._tell(
                _log.info,
                "batch_retried",
                **_batch(batch, again),
                node=placement.node_id,
                isolated=batch.isolated,
            )

    def _failure(self, batch: Batch, entry: LedgerEntry, reason: str) -> None:
        ordinary = entry.outcome in _ORDINARY
        if not ordinary:
            self._failed.update(member.id for member in batch.members if self._waits(member.id))
        if self._verbose() if ordinary else self._has_room():
            self._tell(
                _log.debug if ordinary else _log.warning,
                "batch_failed",
                **_batch(batch),
                node=entry.node_id,
                code=str(entry.outcome),
                reason=printable(reason, _MOST_REASON),
                in_flight_us=round(entry.compute_s * 1e6),
            )

    def _has_room(self) -> bool:
        """Whether one more line will not make the log all that the gateway is busy with."""
        if self._verbose():
            return True
        now = self._clock.monotonic()
        if now - self._second >= 1.0:
            self._second, self._told = now, 0
        self._told += 1
        self._left_out += self._told > MOST_PER_S
        return self._told <= MOST_PER_S

    def _tell(self, write: Callable[..., Any], event: str, **facts: Any) -> None:
        if self._left_out:
            facts["left_out"], self._left_out = self._left_out, 0
        write(event, **facts)


def _batch(batch: Batch, members: Iterable[InferenceRequest] | None = None) -> dict[str, Any]:
    named = list(batch.members if members is None else members)
    facts: dict[str, Any] = {
        "batch": batch.id,
        "model": str(batch.model),
        "requests": [member.id for member in named[:MOST_NAMED]],
        "ids": [_shown(member.given_id) for member in named[:MOST_NAMED]],
    }
    if len(named) > MOST_NAMED:
        facts["more_requests"] = len(named) - MOST_NAMED
    return facts


def _error(error: FarmError) -> dict[str, Any]:
    return {"code": str(error.code), "reason": printable(error.message, _MOST_REASON)}


def _shown(text: str) -> str:
    return printable(text, _MOST_CHARACTERS)
