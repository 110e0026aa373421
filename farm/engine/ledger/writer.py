"""Writes the ledger on a thread of its own, and keeps trying while the disk fails."""

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Condition, Thread
from time import monotonic
from typing import Final

import structlog

from farm.core.clock import Clock
from farm.core.events import EventKind, Happening, Severity
from farm.core.ledger import Incident, IncidentKind
from farm.engine.ledger.file import (
    ASIDES_KEPT,
    UnusableFileError,
    check_sound,
    is_damage,
    is_full,
    is_passing,
    open_file,
    remove_old_asides,
    set_aside,
    transaction,
)
from farm.engine.ledger.intake import Intake
from farm.engine.ledger.retention import Retention, forget
from farm.engine.ledger.waiting import Waiting, write_incidents

_log = structlog.get_logger()

# Between two transactions: a shorter time wears SD cards, a longer one loses more in a crash.
_INTERVAL_S: Final = 5.0
# After a failure, and at most.
_FIRST_PAUSE_S: Final = 1.0
_MAX_PAUSE_S: Final = 60.0
# How often a round forgets a part of what is too old or too much.
_FORGETTING: Final = 20


class Writer:
    """Takes what has come in every few seconds, and writes it in one transaction.

    `drops` counts records that waited for the disk until there was no more room for them. `tell`
    is called on the thread, once for each time that the file fails, is written again, or is put
    aside.
    """

    def __init__(
        self,
        path: Path,
        *,
        intake: Intake,
        clock: Clock,
        currency: str | None,
        retention: Retention,
        tell: Callable[[Happening], None],
    ) -> None:
        self._path = path
        self._tell = tell
        self._intake = intake
        self._clock = clock
        self._currency = currency
        self._retention = retention
        self._db: sqlite3.Connection | None = None
        self._inode = 0
        self._waiting = Waiting()
        self._pause_s = 0.0
        self._put_off_until = 0.0
        self._complaint = ""
        self._told_drops = 0
        self.drops = 0
        # The file may be damaged.
        self._suspect = False
        # Guards what other threads want.
        self._wish = Condition()
        self._rounds_wanted = self._rounds_done = 0
        self._closing = False
        self._thread = Thread(target=self._run, name="ledger", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def flush(self, at_most_s: float) -> bool:
        """Have what waits written now; return whether that was tried in the time given."""
        with self._wish:
            if not self._thread.is_alive():
                return False
            # A round that is under way may have begun too early.
            wanted = self._rounds_done + 2
            self._rounds_wanted = max(self._rounds_wanted, wanted)
            self._wish.notify_all()
            return self._wish.wait_for(lambda: self._rounds_done >= wanted, at_most_s)

    def doubt(self) -> None:
        """Have the file looked through, for a reader found damage."""
        with self._wish:
            self._suspect = True
            self._rounds_wanted = max(self._rounds_wanted, self._rounds_done + 1)
            self._wish.notify_all()

    def close(self, at_most_s: float) -> bool:
        """Write what waits and end; return whether that was done in the time given."""
        with self._wish:
            self._closing = True
            self._wish.notify_all()
        if self._thread.ident is not None:
            self._thread.join(at_most_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        closing = False
        while not closing:
            with self._wish:
                self._wish.wait_for(self._is_wanted, min(self._pause_s or _INTERVAL_S, _INTERVAL_S))
                closing = self._closing
                wanted = self._is_wanted()
            try:
                self._round(wanted)
            except Exception:
                # What cannot be written must not keep out all that comes after it.
                _log.exception("ledger_records_refused", dropped=len(self._waiting))
                self.drops += len(self._waiting)
                self._waiting = Waiting()
                self._suspect = True
            with self._wish:
                self._rounds_done += 1
                self._wish.notify_all()
        if self._waiting:
            _log.error("ledger_incomplete", lost=len(self._waiting), reason=self._complaint)
        self._disconnect()

    def _is_wanted(self) -> bool:
        return self._closing or self._rounds_wanted > self._rounds_done

    def _round(self, wanted: bool) -> None:
        """Take in what came, so that its sums are kept; write it unless that is put off."""
        self.drops += self._waiting.add(self._intake.take())
        if not wanted and monotonic() < self._put_off_until:
            return
        try:
            self._write_somewhere()
        except sqlite3.OperationalError as error:
            if not is_passing(error):
                self._disconnect()
            self._put_off(str(error))
        except OSError as error:
            self._put_off(error.strerror or type(error).__name__)
        except UnusableFileError as error:
            # Another gateway, of other settings, began it.
            self._put_off(error.reason)
        else:
            self._recovered()

    def _write_somewhere(self) -> None:
        """Write what waits: in the place of what is oldest if need be, or to a new file."""
        try:
            self._write()
        except UnusableFileError as error:
            self._begin_anew(error.label, error.reason)
        except (sqlite3.Error, UnicodeDecodeError) as error:
            if is_damage(error):
                self._begin_anew("corrupt", f"it is damaged: {error}")
            elif is_full(error):
                self._make_room()
                self._write()
            else:
                raise

    def _write(self) -> None:
        db = self._connected()
        if self._suspect:
            check_sound(db)
            self._suspect = False
        drops = self.drops + self._intake.drops
        if self._waiting or drops > self._told_drops:
            with transaction(db):
                self._waiting.write(db)
                if drops > self._told_drops:
                    told = f"records that were lost: {drops - self._told_drops}"
                    write_incidents(db, [self._incident(IncidentKind.RECORDS_DROPPED, told)])
            self._waiting = Waiting()
            self._told_drops = drops
        for _ in range(_FORGETTING):
            if not forget(db, self._retention, now_unix_ns=self._clock.unix_ns()):
                break

    def _connected(self) -> sqlite3.Connection:
        there = self._inode_there()
        if self._db is not None and there != self._inode:
            # Another gateway that sets it aside leaves a new one in its place.
            reason = "another is in its place" if there else "a new one is begun"
            _log.error("ledger_removed", path=str(self._path), reason=reason)
            self._disconnect()
        if self._db is None:
            self._inode = there
            self._db = open_file(
                self._path, currency=self._currency, max_bytes=self._retention.max_bytes
            )
            self._inode = self._inode_there()
        return self._db

    def _inode_there(self) -> int:
        """Return which file has the ledger's name now; 0 where none has."""
        try:
            return self._path.stat().st_ino
        except (FileNotFoundError, NotADirectoryError):
            return 0

    def _disconnect(self) -> None:
        if self._db is not None:
            with suppress(sqlite3.Error):
                self._db.close()
        self._db = None

    def _begin_anew(self, label: str, reason: str) -> None:
        """Put the file aside and write to a new one, unless another gateway has done so."""
        self._disconnect()
        self._suspect = False
        there = self._inode_there()
        if there and there == self._inode:
            aside = set_aside(self._path, label, self._clock.unix_ns())
            _log.error("ledger_set_aside", path=str(self._path), reason=reason, kept=aside.name)
            told = f"{reason}; it is kept as {aside.name}"
            self._waiting.note(self._incident(IncidentKind.LEDGER_SET_ASIDE, told))
            self._happened(EventKind.LEDGER_SET_ASIDE, Severity.ERROR, told)
            for removed in remove_old_asides(self._path, aside):
                _log.warning("ledger_aside_removed", path=str(removed), kept=ASIDES_KEPT)
        self._write()

    def _make_room(self) -> None:
        """Forget the oldest rows, if the disk has room to note even that."""
        if self._db is not None:
            with suppress(sqlite3.Error):
                forget(self._db, self._retention, now_unix_ns=self._clock.unix_ns(), is_full=True)

    def _incident(self, kind: IncidentKind, detail: str) -> Incident:
        return Incident(unix_ns=self._clock.unix_ns(), kind=kind, subject="ledger", detail=detail)

    def _put_off(self, reason: str) -> None:
        """Try again later, each time later still; say why, once."""
        self._pause_s = min(max(2 * self._pause_s, _FIRST_PAUSE_S), _MAX_PAUSE_S)
        self._put_off_until = monotonic() + self._pause_s
        if reason != self._complaint:
            self._complaint = reason
            _log.error("ledger_not_written", path=str(self._path), reason=reason)
            told = f"{reason}; what there is to write waits in memory"
            self._happened(EventKind.LEDGER_UNWRITTEN, Severity.WARNING, told)

    def _recovered(self) -> None:
        if self._complaint:
            drops = self.drops + self._intake.drops
            _log.warning("ledger_written_again", drops=drops)
            told = f"records lost since the gateway started: {drops}"
            self._happened(EventKind.LEDGER_WRITTEN, Severity.INFO, told)
        self._complaint = ""
        self._pause_s = 0.0

    def _happened(self, kind: EventKind, severity: Severity, detail: str) -> None:
        self._tell(Happening(kind=kind, severity=severity, subject="ledger", detail=detail))
