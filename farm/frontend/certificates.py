"""Certificates that callers show: until when each is good, and which the farm's CA has revoked."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from threading import RLock
from typing import Final

import structlog

from farm.core.clock import Clock
from farm.core.errors import (
    ConfigurationError,
    FarmError,
    IntegrityError,
    InvalidRequestError,
    UnauthenticatedError,
)
from farm.core.file_stamps import FileStamp, stamp_of
from farm.core.private_files import replace_file
from farm.core.revocations import NO_REVOCATIONS, RevocationList
from farm.frontend.callers import ShownCertificate
from farm.pki import inspect, read_if_there, read_revocations

_log = structlog.get_logger()

# How often it is looked whether the files have changed.
_LOOK_S: Final = 1.0


class Certificates:
    """What a gateway knows of the certificates of one CA. The list in force is the newest.

    It comes in `published`, a file that is put there from outside, or over the network, and is
    kept in the folder `kept_in` then: gateways that share it learn of it within a second.
    Threads may share it.
    """

    def __init__(self, *, ca: Path, published: Path | None, kept_in: Path, clock: Clock) -> None:
        """Read the lists that are there.

        Raises:
            ConfigurationError: the CA cannot be read; or there are lists and none is good, so
                that nobody knows who is to be kept out.
        """
        self._ca = ca
        self._published = published
        self._clock = clock
        self._list = NO_REVOCATIONS
        # Of another CA it would be no good.
        name = f"crl-{sha256(self._authority_pem()).hexdigest()[:16]}.pem"
        self._kept = kept_in / name
        self._seen: Mapping[Path, FileStamp] = self._stamps()
        self._look_at = clock.monotonic() + _LOOK_S
        # Of two threads that read a list, the one that has the older must not end last.
        self._changing = RLock()
        bad = self._read()
        if bad and self._list is NO_REVOCATIONS:
            raise ConfigurationError(
                f"tls: {bad[0].message}; `farm bootstrap` puts a good one there. Without it those"
                " who were revoked would be let in"
            )
        self._told: tuple[Mapping[Path, FileStamp], Sequence[str]] = ({}, ())
        self._tell(self._seen, bad)

    @property
    def in_force(self) -> RevocationList:
        """The list by which callers are judged now."""
        return self._list

    def shown(self, pem: bytes, who: str) -> ShownCertificate:
        """Return what is to be known of a certificate that TLS has found good.

        Raises:
            UnauthenticatedError: it cannot be read.
        """
        try:
            facts = inspect(pem)
        except ConfigurationError as error:
            raise UnauthenticatedError(
                "your certificate cannot be read here, so nobody knows whether it was revoked;"
                " `farm certs issue` makes one that can"
            ) from error
        ends_unix_ns = int(facts.not_after.timestamp()) * 1_000_000_000
        return ShownCertificate(who=who, serial=facts.serial, ends_unix_ns=ends_unix_ns)

    def check(self, shown: ShownCertificate) -> None:
        """See that a certificate is still good, by the lists as they are now.

        Raises:
            UnauthenticatedError: it has ended since its connection was opened, or is revoked.
        """
        self._look()
        if self._clock.unix_ns() >= shown.ends_unix_ns:
            ended = datetime.fromtimestamp(shown.ends_unix_ns // 1_000_000_000, UTC)
            raise UnauthenticatedError(
                f"the certificate of {shown.who} ended at {ended:%Y-%m-%d %H:%M} UTC; `farm certs"
                " issue`, where the farm was bootstrapped, makes a new one"
            )
        revocation = self._list.revocations.get(shown.serial)
        if revocation is not None:
            raise UnauthenticatedError(
                f"the certificate of {shown.who} was revoked on"
                f" {revocation.revoked_at:%Y-%m-%d} ({revocation.reason}); if that was a mistake,"
                " `farm certs issue`, where the farm was bootstrapped, makes a new one"
            )

    def take(self, list_pem: bytes) -> RevocationList:
        """Put a newer list of the CA in force, and keep it.

        One that is in force already is taken again.

        Raises:
            InvalidRequestError: it is damaged, another CA's, older than the one in force, or
                forgets what that one revokes; the one in force stays.
            ConfigurationError: it is in force and could not be kept.
        """
        with self._changing:
            return self._take(list_pem)

    def _take(self, list_pem: bytes) -> RevocationList:
        self._look()
        try:
            found = read_revocations(list_pem, self._authority_pem())
        except (IntegrityError, ConfigurationError) as error:
            raise InvalidRequestError(f"{error.message}; the one in force stays") from error
        if found != self._list and (reason := found.why_not_after(self._list)):
            raise InvalidRequestError(
                f"this list of revoked certificates is not taken: {reason}; the one in force"
                " stays. Revoke on the machine that made that one, or from its backup"
            )
        self._adopt(found)
        try:
            replace_file(self._kept, list_pem)
        except ConfigurationError as error:
            _log.error("revocations_not_kept", reason=error.message)
            raise ConfigurationError(
                "the list of revoked certificates is in force, and forgotten when the gateway"
                " starts anew, for its disk does not take it; run `farm bootstrap`, then look at"
                " the gateway's disk (`farm doctor`)"
            ) from error
        return found

    def _look(self) -> None:
        """Read the lists again if they have changed."""
        if self._clock.monotonic() < self._look_at:
            return
        # Whoever holds it puts a list in force just now, and syncs it to a disk: calls go on.
        if not self._changing.acquire(blocking=False):
            return
        try:
            self._look_at = self._clock.monotonic() + _LOOK_S
            stamps = self._stamps()
            if stamps != self._seen:
                bad = self._read()
                self._tell(stamps, bad)
                # What could not be read may be readable yet; what is damaged stays so.
                if all(isinstance(error, IntegrityError) for error in bad):
                    self._seen = stamps
        finally:
            self._changing.release()

    def _tell(self, stamps: Mapping[Path, FileStamp], bad: Sequence[FarmError]) -> None:
        """Log what is wrong with files, once for as long as they and it are the same."""
        told = (stamps, [error.message for error in bad])
        if told != self._told:
            self._told = told
            for error in bad:
                _log.warning("revocations_not_taken", reason=error.message)

    def _read(self) -> Sequence[FarmError]:
        """Put what the files hold in force as far as it is newer; return what is wrong with them.

        An `IntegrityError` is of what a file holds, any other of reading it.
        """
        bad: list[FarmError] = []
        # What is kept is what was in force last; only what may follow that comes after it.
        for path in (self._kept, self._published):
            try:
                list_pem = None if path is None else read_if_there(path)
                if path is None or list_pem is None:
                    continue
                found = read_revocations(list_pem, self._authority_pem(), str(path))
            except (IntegrityError, ConfigurationError) as error:
                bad.append(error)
                continue
            # An older one is where it was put first, and a newer one has come since.
            if found.number <= self._list.number:
                continue
            if reason := found.why_not_after(self._list):
                bad.append(IntegrityError(f"{path}: {reason}"))
                continue
            self._adopt(found)
            if path == self._published:
                self._keep(list_pem)
        return bad

    def _authority_pem(self) -> bytes:
        """Return the CA as it is now.

        Raises:
            ConfigurationError: it cannot be read.
        """
        authority_pem = read_if_there(self._ca)
        if authority_pem is None:
            raise ConfigurationError(
                f"tls: {self._ca} is not there; `farm bootstrap` puts it there"
            )
        return authority_pem

    def _keep(self, list_pem: bytes) -> None:
        try:
            replace_file(self._kept, list_pem)
        except ConfigurationError as error:
            # It is where it was read, and will be read there again.
            _log.warning("revocations_not_kept", reason=error.message)

    def _adopt(self, found: RevocationList) -> None:
        if found != self._list:
            self._list = found
            _log.info("revocations_in_force", number=found.number, revoked=len(found.revocations))

    def _stamps(self) -> Mapping[Path, FileStamp]:
        stamps = {}
        for path in (self._published, self._kept):
            if path is not None:
                with suppress(OSError):
                    stamps[path] = stamp_of(path)
        return stamps
