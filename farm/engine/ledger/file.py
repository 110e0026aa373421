"""The ledger's file: how it is opened, and what becomes of one that cannot be used."""

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from glob import escape
from pathlib import Path
from typing import Final

from farm.engine.ledger.migration import FROM_VERSION_1
from farm.engine.ledger.schema import APPLICATION_ID, CREATE, SCHEMA_VERSION

PAGE_BYTES: Final = 4096
# Beside the file lies SQLite's log, which is emptied when it has grown so large.
_LOG_BYTES: Final = 1 << 20
# Another gateway may be writing, while it hands over to this one.
_BUSY_S: Final = 5.0
# Files that were set aside: each may be as large as the ledger, on a small card.
ASIDES_KEPT: Final = 2
# What `set_aside` adds to their names. What another program's database holds is not ours to remove.
_ASIDE: Final = re.compile(r"\.(?:corrupt|schema-.+|in-.+)-(?P<taken>\d{8}T\d{6}\.\d{6}Z)")

# What says nothing of the file, or of the disk that it is on.
_PASSING: Final = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_DAMAGE: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


class UnusableFileError(Exception):
    """The file is whole and yet not for this gateway. `label` says so in a word, for its name."""

    def __init__(self, label: str, reason: str) -> None:
        super().__init__(reason)
        self.label = label
        self.reason = reason


def is_damage(error: Exception) -> bool:
    """Whether an error of SQLite's says that the file's content is spoilt."""
    # Garbage in the schema is not even text, and then SQLite's message about it is none.
    return isinstance(error, UnicodeDecodeError) or _code(error) in _DAMAGE


def is_full(error: Exception) -> bool:
    """Whether an error says that the disk, or what the ledger may have of it, is full."""
    return _code(error) == sqlite3.SQLITE_FULL


def is_passing(error: Exception) -> bool:
    """Whether the file may stay open while whatever is in the way goes away."""
    return _code(error) in _PASSING


def _code(error: Exception) -> int:
    # The lowest byte is the kind, the others are details.
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF


def open_file(path: Path, *, currency: str | None, max_bytes: int) -> sqlite3.Connection:
    """Open a ledger to write to, a new one where there is none.

    Costs are in `currency`; the file keeps its name from the first time that there is one. The
    file grows to `max_bytes`, its log included.

    Raises:
        UnusableFileError: it is a newer gateway's, in another currency, or no ledger.
        sqlite3.Error, OSError: it cannot be read or written now, or is damaged.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Names of clients are nobody else's business; SQLite gives its other files the same mode.
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    # Without its log the file was closed in peace.
    was_cut_off = path.with_name(f"{path.name}-wal").exists()
    db: sqlite3.Connection | None = None
    try:
        _bring_up_to_date(path)
        db = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
        db.text_factory = _text
        # These two count for a new file alone.
        db.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        db.execute("PRAGMA auto_vacuum = INCREMENTAL")
        _check_identity(db)
        _set_up(db, max_bytes)
        if was_cut_off:
            check_sound(db)
        _check_currency(db, currency)
    except BaseException as error:
        if db is not None:
            db.close()
        # The statements are sound: what is said against them is the file's fault.
        if isinstance(error, sqlite3.Error) and _code(error) == sqlite3.SQLITE_ERROR:
            raise UnusableFileError("corrupt", f"it is damaged: {error}") from error
        raise
    return db


def open_to_read(path: Path) -> sqlite3.Connection:
    """Open a ledger to read.

    Raises:
        sqlite3.Error: there is none, or it cannot be read.
    """
    db = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY_S, isolation_level=None
    )
    db.text_factory = _text
    return db


def set_aside(path: Path, label: str, unix_ns: int) -> Path:
    """Give a file, with its log, another name, so that a new one can be begun; return it.

    Raises:
        OSError: it cannot be renamed.
    """
    taken = datetime.fromtimestamp(unix_ns / 1e9, UTC)
    aside = path.with_name(f"{path.name}.{label}-{taken:%Y%m%dT%H%M%S.%fZ}")
    # The file last: whatever happens in between, no log is left to be taken for a new file's.
    for suffix in ("-wal", "-shm", ""):
        with suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
    return aside


def remove_old_asides(path: Path, newest: Path) -> list[Path]:
    """Remove all but the newest ledgers that were set aside; return those that are gone.

    `newest` stays whatever its name says of its age: a board without a clock of its own may
    have named it in the past.
    """
    found = []
    for each in path.parent.glob(f"{escape(path.name)}.*"):
        name = _ASIDE.fullmatch(each.name.removeprefix(path.name))
        if name is not None and each != newest:
            found.append((name["taken"], each))
    found.sort()
    removed = []
    for _, old in found[: max(len(found) + 1 - ASIDES_KEPT, 0)]:
        # One that cannot be removed is tried again with the next.
        with suppress(OSError):
            for suffix in ("-wal", "-shm", ""):
                old.with_name(old.name + suffix).unlink(missing_ok=True)
            removed.append(old)
    return removed


def check_sound(db: sqlite3.Connection) -> None:
    """Read all of a file.

    Raises:
        sqlite3.DatabaseError: it is damaged.
    """
    (verdict,) = db.execute("PRAGMA integrity_check(1)").fetchone()
    if verdict != "ok":
        error = sqlite3.DatabaseError(verdict)
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """Write all of it or nothing."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            db.execute("ROLLBACK")
        raise


def size_bytes(path: Path) -> int:
    """Return what a ledger takes on disk, its log included."""
    size = 0
    for suffix in ("", "-wal"):
        with suppress(OSError):
            size += path.with_name(path.name + suffix).stat().st_size
    return size


def _text(raw: bytes) -> str:
    """Return text as it is kept; a byte that a worn card has lost costs no more than itself."""
    return raw.decode("utf-8", "replace")


def _set_up(db: sqlite3.Connection, max_bytes: int) -> None:
    db.execute("PRAGMA journal_mode = WAL")
    # A power cut may take the last seconds; only checkpoints wait for the disk.
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute(f"PRAGMA wal_autocheckpoint = {_LOG_BYTES // PAGE_BYTES}")
    db.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES}")
    db.execute(f"PRAGMA max_page_count = {max_pages(max_bytes)}")


def max_pages(max_bytes: int) -> int:
    """Return the pages of a file that may take so many bytes, with a log of twice its size."""
    return max(max_bytes - 2 * _LOG_BYTES, PAGE_BYTES) // PAGE_BYTES


def _check_identity(db: sqlite3.Connection) -> None:
    """See whether the file is a ledger; make one of an empty file."""
    with transaction(db):
        application, version = _identity(db)
        tables = {sql for (sql,) in db.execute("SELECT sql FROM sqlite_schema")}
        if not (application or version or tables):
            for statement in CREATE:
                db.execute(statement)
            db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        elif application != APPLICATION_ID:
            raise UnusableFileError("foreign", "it is no ledger of a farm")
        elif version != SCHEMA_VERSION:
            raise UnusableFileError(
                f"schema-{version}",
                f"it has the tables of version {version}, and this gateway knows version"
                f" {SCHEMA_VERSION}",
            )
        elif not tables.issuperset(CREATE):
            raise UnusableFileError("corrupt", "it is damaged: its tables are not as they were")


def _bring_up_to_date(path: Path) -> None:
    """Make a ledger of an older version one of this version, once nobody else has it open.

    A gateway of that version, which is handing over to this one, would go on adding to sums
    without what is new in them.
    """
    with closing(sqlite3.connect(path, timeout=_BUSY_S)) as db:
        if _identity(db) != (APPLICATION_ID, 1):
            return
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as db:
        # Only before anything is read does it make sure that the file is nobody else's.
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        try:
            with transaction(db):
                if _identity(db) == (APPLICATION_ID, 1):
                    for statement in FROM_VERSION_1:
                        db.execute(statement)
                    db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        except sqlite3.OperationalError as error:
            if _code(error) == sqlite3.SQLITE_BUSY:
                error.args = ("an older gateway has it open; it is taken over once that has ended",)
            raise


def _identity(db: sqlite3.Connection) -> tuple[int, int]:
    """Return whose file it is, and which version of its tables it has; of a new one zeros."""
    (application,) = db.execute("PRAGMA application_id").fetchone()
    (version,) = db.execute("PRAGMA user_version").fetchone()
    return application, version


def _check_currency(db: sqlite3.Connection, currency: str | None) -> None:
    """See whether costs can be added to those that are there."""
    if currency is None:
        return
    with transaction(db):
        db.execute("INSERT INTO about VALUES ('currency', ?) ON CONFLICT DO NOTHING", (currency,))
        (kept,) = db.execute("SELECT value FROM about WHERE name = 'currency'").fetchone()
    if kept != currency:
        # Part of a file's name now.
        label = f"in-{kept}" if kept.isalnum() else "corrupt"
        raise UnusableFileError(
            label, f"its costs are in {kept}, and this farm's are in {currency} now"
        )
