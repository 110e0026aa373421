"""Who shows a bearer token, by a file that may change while the gateway serves."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Any, Final

import structlog

from farm.core.clock import Clock
from farm.core.errors import ConfigurationError, UnauthenticatedError
from farm.core.file_stamps import FileStamp, stamp_of
from farm.core.token_files import read_tokens
from farm.core.tokens import PREFIX, IssuedToken, TokenBook, Tokens
from farm.frontend.rarely import Rarely

_log = structlog.get_logger()

_HEADER: Final = "authorization"
_SCHEME: Final = "bearer "

# How often it is looked whether the file has changed: for each call it would take longer than
# all else that is done about its token.
_LOOK_S: Final = 0.2

# Strangers who try without end must not fill the log.
_REFUSALS_APART_S: Final = 10.0


class TokenFile:
    """Tells callers by their tokens; threads may share it.

    A file that is replaced counts within a fifth of a second, for a token that is new at once.
    One that is gone lets nobody in; one that is damaged, or that others can read, changes
    nothing.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        """Read the file.

        Raises:
            ConfigurationError: it cannot be read, others can read it too, or it is damaged.
        """
        self._path = path
        self._clock = clock
        self._seen = self._stamp()
        self._book = TokenBook(read_tokens(path))
        self._look_at = clock.monotonic() + _LOOK_S
        self._reading = Lock()
        self._refusals = Rarely(apart_s=_REFUSALS_APART_S)

    def holder(self, text: str, *, place: str) -> IssuedToken:
        """Return whose token it is; `place` is where it came from, for the log.

        Raises:
            UnauthenticatedError: nobody's, or one that is not good any more.
        """
        self._look()
        try:
            return self._book.holder(text, now=self._now())
        except UnauthenticatedError:
            # It may have been issued since.
            self._follow()
        try:
            return self._book.holder(text, now=self._now())
        except UnauthenticatedError:
            more_before = self._refusals.due("", self._clock.monotonic())
            if more_before is not None:
                _log.warning("token_refused", place=place, more_before=more_before)
            raise

    def check(self, token: IssuedToken) -> None:
        """See that a token whose holder was let in is still good; for every message of a stream.

        Raises:
            UnauthenticatedError: it is not.
        """
        self._look()
        self._book.check(token, now=self._now())

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.unix_ns() / 1e9, UTC)

    def _look(self) -> None:
        now = self._clock.monotonic()
        if now >= self._look_at:
            self._look_at = now + _LOOK_S
            self._follow()

    def _follow(self) -> None:
        """Read the file again if it has changed."""
        if self._stamp() == self._seen:
            return
        # Of two threads that read it, the one that began first must not end last.
        with self._reading:
            stamp = self._stamp()
            if stamp != self._seen:
                self._book = self._read(stamp is not None)
                self._seen = stamp

    def _read(self, there: bool) -> TokenBook:
        if not there:
            _log.warning("tokens_gone", reason="the file of tokens is not there any more")
            return TokenBook(Tokens())
        try:
            book = TokenBook(read_tokens(self._path))
        except ConfigurationError as error:
            _log.warning("tokens_not_reloaded", reason=error.message)
            return self._book
        _log.info("tokens_reloaded")
        return book

    def _stamp(self) -> FileStamp | None:
        try:
            return stamp_of(self._path)
        except OSError:
            return None


def token_of(metadata: Iterable[tuple[str, Any]] | None) -> str | None:
    """Return the token that a call brings in its `authorization`, None without one.

    Only what looks like one of the farm's: other credentials there are meant for somebody else,
    such as a proxy on the way.
    """
    for key, value in metadata or ():
        if key == _HEADER and (token := token_in(value)) is not None:
            return token
    return None


def token_in(authorization: str) -> str | None:
    """Return the token of the farm's in the value of an `authorization`, None without one."""
    if authorization[: len(_SCHEME)].lower() != _SCHEME:
        return None
    token = authorization[len(_SCHEME) :].strip()
    return token if token.startswith(PREFIX) else None
