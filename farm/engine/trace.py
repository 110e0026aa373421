"""Records what the machine is told: a trace that the simulator replays.

Lines that the disk could not take in time are dropped and leave a gap in the sequence
numbers. Neither tensors nor names of clients are written.
"""

import json
from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from queue import Empty, Full, Queue
from secrets import token_bytes
from threading import Thread
from time import monotonic
from typing import IO, Any, Final

import structlog

from farm import __version__
from farm.core.errors import ConfigurationError
from farm.core.models import LatencyCurve, ModelSpec
from farm.core.requests import Batch, BatchCompleted, BatchFailed, InferenceRequest
from farm.engine.trace_format import FORMAT, VERSION
from farm.scheduling.effects import DispatchBatch, Effect, RejectRequest, ResolveRequest
from farm.scheduling.events import (
    BatchFinished,
    Event,
    ModelChanged,
    NodeChanged,
    NodeJoined,
    NodeLost,
    RequestArrived,
)

_log = structlog.get_logger()

# Lines that may wait for the disk; more are dropped and leave a gap.
_MAX_WAITING: Final = 100_000
_FLUSH_S: Final = 1.0
# What the disk has to take all of them when the gateway ends.
_CLOSE_S: Final = 30.0

Line = dict[str, Any]


class TraceRecorder:
    """Writes a trace on a thread of its own; `note` never waits."""

    def __init__(self, file: Path) -> None:
        """Begin a trace in a new file.

        Raises:
            ConfigurationError: the file exists or cannot be written.
        """
        try:
            self._file: IO[str] = file.open("x", encoding="utf-8")
        except FileExistsError as error:
            raise ConfigurationError(
                f"--record: {file} exists; name another file or remove it"
            ) from error
        except OSError as error:
            raise ConfigurationError(
                f"--record: {file} cannot be written: {error.strerror}"
            ) from error
        self._path = file
        self._lines: Queue[Line | None] = Queue(_MAX_WAITING)
        self._sequence = 0
        self._dropped = 0
        self._began_at: float | None = None
        # Whoever has the trace cannot find out who a client is by trying names.
        self._salt = token_bytes(16)
        # Batches under way, each with when it was sent.
        self._sent: dict[int, tuple[Batch, float]] = {}
        self._put({"format": FORMAT, "version": VERSION, "farm": __version__})
        self._thread = Thread(target=self._write, name="trace", daemon=True)
        self._thread.start()

    def note(self, events: Sequence[Event], effects: Sequence[Effect], now: float) -> None:
        """Take what the machine was told at `now`, and what it wants done."""
        if self._began_at is None:
            self._began_at = now
        at = round(now - self._began_at, 6)
        for event in events:
            line = self._of_event(event, now)
            if line is not None:
                self._put({"at": at, **line})
        for effect in effects:
            match effect:
                case DispatchBatch(batch):
                    self._sent[batch.id] = batch, now
                case ResolveRequest(request_id):
                    self._put({"at": at, "kind": "reply", "id": request_id})
                case RejectRequest(request_id, error):
                    line = {"kind": "reply", "id": request_id, "code": error.code.value}
                    self._put({"at": at, **line})

    def close(self) -> None:
        """Write what waits and end the file; a disk that hangs is not waited for for ever.

        Of a farm that failed to start no trace is left, so its name may be used again.
        """
        ends_at = monotonic() + _CLOSE_S
        with suppress(Full):
            self._lines.put(None, timeout=_CLOSE_S)
        self._thread.join(max(ends_at - monotonic(), 0.0))
        if self._thread.is_alive():
            _log.error("trace_ended", reason=f"the disk did not take it within {_CLOSE_S:g} s")
        if self._dropped:
            _log.warning("trace_has_gaps", dropped=self._dropped)
        if self._began_at is None:
            with suppress(OSError):
                self._path.unlink()

    def _put(self, line: Line) -> None:
        numbered = {"seq": self._sequence, **line}
        self._sequence += 1
        try:
            self._lines.put_nowait(numbered)
        except Full:
            self._dropped += 1

    def _of_event(self, event: Event, now: float) -> Line | None:
        match event:
            case RequestArrived(request):
                return self._request(request)
            case BatchFinished(completed):
                return self._batch(completed, now)
            case BatchFailed():
                return self._batch(event, now)
            case NodeJoined(profile=profile, ready=ready):
                return {
                    "kind": "node_joined",
                    "node": profile.node_id,
                    "incarnation": profile.incarnation,
                    "board": profile.board,
                    "cores": profile.cores,
                    "slots": profile.slots,
                    "threads_per_slot": profile.threads_per_slot,
                    "lookahead": profile.lookahead,
                    "curves": {digest: _curve(curve) for digest, curve in ready.items()},
                }
            case NodeChanged(node_id=node_id, ready=ready, cordoned=cordoned):
                curves = None
                if ready is not None:
                    curves = {digest: _curve(curve) for digest, curve in ready.items()}
                return {
                    "kind": "node_changed",
                    "node": node_id,
                    "curves": curves,
                    "cordoned": cordoned,
                }
            case NodeLost(node_id=node_id, reason=reason):
                return {"kind": "node_lost", "node": node_id, "reason": reason}
            case ModelChanged(key, spec):
                return {
                    "kind": "model_changed",
                    "model": key.name,
                    "version": key.version,
                    "spec": _spec(spec),
                }
        return None

    def _request(self, request: InferenceRequest) -> Line:
        return {
            "kind": "request",
            "id": request.id,
            "model": request.model.name,
            "version": request.model.version,
            "rows": request.rows,
            "bytes": request.size_bytes,
            "priority": request.priority,
            "deadline_s": _after(request.deadline, request.arrived_at),
            "queue_timeout_s": _after(request.queue_deadline, request.arrived_at),
            "client": self._client(request.client),
        }

    def _batch(self, end: BatchCompleted | BatchFailed, now: float) -> Line | None:
        """Return how a batch ended; what it took beside its compute is overhead."""
        sent = self._sent.pop(end.batch_id, None)
        if sent is None:
            return None
        batch, sent_at = sent
        line: Line = {
            "kind": "batch",
            "node": end.node_id,
            "digest": batch.digest,
            "rows": batch.rows,
            "trigger": batch.trigger,
        }
        if isinstance(end, BatchFailed):
            return {**line, "outcome": end.code.value}
        compute_s = end.timing.compute_ns / 1e9
        return {
            **line,
            "outcome": "completed",
            "compute_s": compute_s,
            "overhead_s": round(max(now - sent_at - compute_s, 0.0), 6),
        }

    def _client(self, client: str) -> str:
        if not client:
            return ""
        return sha256(self._salt + client.encode()).hexdigest()[:12]

    def _write(self) -> None:
        """Write lines until the end; where the disk fails, take them and say so once."""
        failed = False
        while True:
            try:
                line = self._lines.get(timeout=_FLUSH_S)
            except Empty:
                line = {}
            if line is None:
                break
            if failed:
                continue
            try:
                if line:
                    self._file.write(json.dumps(line, separators=(",", ":")) + "\n")
                else:
                    self._file.flush()
            except OSError as error:
                failed = True
                _log.error("trace_ended", reason=error.strerror)
        with suppress(OSError):
            self._file.close()


def _after(at: float | None, start: float) -> float | None:
    return None if at is None else round(at - start, 6)


def _curve(curve: LatencyCurve | None) -> Line | None:
    return None if curve is None else {"threads": curve.threads, "points": curve.points}


def _spec(spec: ModelSpec | None) -> Line | None:
    if spec is None:
        return None
    return {
        "digest": spec.digest,
        "max_batch_size": spec.max_batch_size,
        "joins": spec.joins,
        "max_instances": spec.max_instances,
        "max_queue_delay_s": spec.batching.max_queue_delay_s,
        "preferred_batch_sizes": spec.batching.preferred_batch_sizes,
    }
