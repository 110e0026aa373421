"""The gateway's ledger: takes records at once, writes them by and by, answers questions.

Nothing here waits for the disk on the event loop, and nothing that the disk does stops serving.
A crash loses the last seconds. While the disk fails, records wait in memory: 50,000 batches,
and sums of the minute far longer; what there is no room for is dropped, counted, and noted as
an incident once the disk is back. A file that is damaged, a newer gateway's or in another
currency is kept under another name, and a new one is begun.
"""

import sqlite3
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import structlog

from farm.core.clock import Clock
from farm.core.errors import ErrorCode, InternalError
from farm.core.events import Happening
from farm.core.ledger import (
    BatchRecord,
    Incident,
    LedgerAnswer,
    LedgerFigures,
    LedgerQuery,
    WindowRecord,
)
from farm.core.models import ModelKey
from farm.engine.ledger import queries
from farm.engine.ledger.file import is_damage, open_to_read, size_bytes
from farm.engine.ledger.intake import Intake
from farm.engine.ledger.queries import Place
from farm.engine.ledger.retention import Retention, begins_at
from farm.engine.ledger.schema import MINUTE_NS
from farm.engine.ledger.writer import Writer

_log = structlog.get_logger()

_Answer = TypeVar("_Answer")

# What the disk has to take all of it when the gateway ends.
_CLOSE_S: Final = 30.0
# A question waits so long for what came in before it.
_FLUSH_S: Final = 2.0
# Batches that are read at once.
CHUNK: Final = 500


class Ledger:
    """One file, written by this gateway and by the one that it takes over from.

    `batches`, `window`, `incident` and `request` may be called from any thread; they return at once
    and never raise. What reads the file is to be called off the event loop.
    """

    def __init__(
        self,
        path: Path,
        *,
        clock: Clock,
        currency: str | None = None,
        retention: Retention | None = None,
        tell: Callable[[Happening], None] = lambda _: None,
    ) -> None:
        """Prepare a ledger; costs are in `currency`, None where nothing has a price.

        What befalls the file is given to `tell`, on the thread that writes it.
        """
        self._path = path
        self._intake = Intake(clock)
        self._writer = Writer(
            path,
            intake=self._intake,
            clock=clock,
            currency=currency,
            retention=retention or Retention(),
            tell=tell,
        )

    def open(self) -> None:
        """Begin to write, once."""
        self._writer.start()

    def close(self) -> None:
        """Write what waits and end; a disk that hangs is not waited for for ever."""
        if not self._writer.close(_CLOSE_S):
            _log.error(
                "ledger_incomplete", reason=f"the disk did not take it within {_CLOSE_S:g} s"
            )

    @property
    def drops(self) -> int:
        """How many records were lost since the gateway started."""
        return self._intake.drops + self._writer.drops

    # -- what the engine tells ----------------------------------------------------------

    def batches(self, records: Iterable[BatchRecord], count: int) -> None:
        """Keep so many settled batches; they are made by the thread that writes them."""
        self._intake.put_batches(records, count)

    def window(self, record: WindowRecord) -> None:
        """Keep a window that was closed."""
        self._intake.put(record)

    def incident(self, incident: Incident) -> None:
        """Keep an incident."""
        self._intake.put(incident)

    def request(
        self,
        model: ModelKey,
        client: str,
        code: ErrorCode | None,
        latency_s: float,
        *,
        in_time: bool | None = None,
        request_bytes: int = 0,
        response_bytes: int = 0,
    ) -> None:
        """Count a request; `code` is None for an answer, `in_time` where it is not to count."""
        self._intake.request(
            model,
            client,
            code,
            latency_s,
            in_time=in_time,
            request_bytes=request_bytes,
            response_bytes=response_bytes,
        )

    def flush(self, at_most_s: float = _FLUSH_S) -> bool:
        """Have what came in written; return whether that was tried in the time given."""
        return self._writer.flush(at_most_s)

    # -- what operators ask -------------------------------------------------------------

    def figures(self, query: LedgerQuery) -> list[LedgerFigures]:
        """Return the figures of what came in until now, by step and key.

        Raises:
            InvalidRequestError: the query contradicts itself, or asks for too much at once.
            InternalError: the file cannot be read.
        """
        self.flush()
        return self._read(lambda db: queries.figures(db, query))

    def answer(self, query: LedgerQuery) -> LedgerAnswer:
        """Return figures, the incidents of their time, and what there is to know of the ledger.

        Raises:
            InvalidRequestError, InternalError: as `figures`.
        """
        self.flush()
        return self._read(lambda db: self._answer(db, query))

    def records(
        self, since_unix_ns: int, until_unix_ns: int
    ) -> Generator[list[BatchRecord], None, None]:
        """Yield the batches that were settled in a time, in chunks, the oldest first.

        Each chunk is a read of its own: whoever takes them slowly holds up nobody.

        Raises:
            InternalError: the file cannot be read.
        """
        self.flush()
        place: Place | None = Place(since_unix_ns, 0)
        while place is not None:
            read = partial(queries.batches, after=place, until_unix_ns=until_unix_ns, count=CHUNK)
            chunk, place = self._read(read)
            if chunk:
                yield chunk

    def _answer(self, db: sqlite3.Connection, query: LedgerQuery) -> LedgerAnswer:
        begins = begins_at(db)
        return LedgerAnswer(
            figures=tuple(queries.figures(db, query)),
            incidents=tuple(queries.incidents(db, query.since_unix_ns, query.until_unix_ns)),
            currency=queries.currency(db),
            begins_unix_ns=None if begins is None else begins * MINUTE_NS,
            size_bytes=size_bytes(self._path),
            drops=self.drops,
        )

    def _read(self, ask: Callable[[sqlite3.Connection], _Answer]) -> _Answer:
        try:
            with closing(open_to_read(self._path)) as db:
                # All that is asked for is of one moment.
                db.execute("BEGIN")
                return ask(db)
        except (sqlite3.Error, UnicodeDecodeError) as error:
            if is_damage(error):
                self._writer.doubt()
            _log.error("ledger_not_read", path=str(self._path), reason=str(error))
            raise InternalError(
                "the ledger cannot be read now; the gateway serves on, and its log says why"
            ) from error
