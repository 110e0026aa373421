"""Certificates that callers show: until when each is good, and which the farm's CA has revoked."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from threading import Lock, RLock, Thread
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
# And how long after one could not be read.
_AGAIN_S: Final = 10.0


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
        self._list, self._list_pem = NO_REVOCATIONS, b""
        # Whether the one in force was published, and is not kept yet.
        self._unkept = False
        # Of another CA it would be no good.
        name = f"crl-{sha256(self._authority_pem()).hexdigest()[:16]}.pem"
        self._kept = kept_in / name
        self._seen: Mapping[Path, FileStamp] = {}
        self._told: tuple[Mapping[Path, FileStamp], Sequence[str]] = ({}, ())
        self._look_at = 0.0
        # Of two threads that read a list, the one that has the older must not end last; nor of
        # two that keep one, which takes as long as the disk does.
        self._changing, self._keeping = RLock(), Lock()
        bad = self._follow(self._stamps())
        if bad and self._list is NO_REVOCATIONS:
            raise ConfigurationError(
                f"tls: {bad[0].message}; `farm bootstrap` puts a good one there. Without it those"
                " who were revoked would be let in"
            )
        self._keep_published()

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
        """Put a newer list of the CA in force; `keep` is to follow.

        One that is in force already is taken again.

        Raises:
            InvalidRequestError: it is damaged, another CA's, older than the one in force, or
                forgets what that one revokes; the one in force stays.
        """
        with self._changing:
            return self._take(list_pem)

    def _take(self, list_pem: bytes) -> RevocationList:
        self._look()
        try:
            found = read_revocations(list_pem, self._authority_pem())
        except IntegrityError as error:
            raise InvalidRequestError(f"{error.message}; the one in force stays") from error
        except ConfigurationError as error:
            # Where it lies is not for callers.
            raise InvalidRequestError("the CA cannot be read; the one in force stays") from error
        if found != self._list and (reason := found.why_not_after(self._list)):
            raise InvalidRequestError(
                f"this list of revoked certificates is not taken: {reason}; the one in force"
                " stays. Revoke on the machine that made that one, or from its backup"
            )
        self._adopt(found, list_pem)
        return found

    def keep(self) -> None:
        """Have the list in force outlive the gateway; may take as long as its disk does.

        Raises:
            ConfigurationError: the disk does not take it.
        """
        try:
            with self._keeping:
                replace_file(self._kept, self._list_pem)
        except ConfigurationError as error:
            _log.error("revocations_not_kept", reason=error.message)
            raise ConfigurationError(
                "the list of revoked certificates is in force, and forgotten when the gateway"
                " starts anew, for its disk does not take it; run `farm bootstrap`, then look at"
                " the gateway's disk (`farm doctor`)"
            ) from error

    def _look(self) -> None:
        """Read the lists again if they have changed."""
        if self._clock.monotonic() < self._look_at:
            return
        with self._changing:
            stamps = self._stamps()
            self._look_at = self._clock.monotonic() + _LOOK_S
            if stamps != self._seen:
                self._follow(stamps)
        # Calls wait for no disk.
        if self._unkept:
            Thread(target=self._keep_published, name="revocations").start()

    def _follow(self, stamps: Mapping[Path, FileStamp]) -> Sequence[FarmError]:
        """Read the lists as they are by now, and return what is wrong with them."""
        bad = self._read()
        self._tell(stamps, bad)
        if all(isinstance(error, IntegrityError) for error in bad):
            self._seen = stamps
        else:
            # What could not be read may be readable yet; what is damaged stays so.
            self._look_at = self._clock.monotonic() + _AGAIN_S
        return bad

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
            self._adopt(found, list_pem)
            self._unkept = path == self._published
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

    def _keep_published(self) -> None:
        """Keep a list that was published; where that fails, it is read there again."""
        if self._unkept:
            self._unkept = False
            with suppress(ConfigurationError):
                self.keep()

    def _adopt(self, found: RevocationList, list_pem: bytes) -> None:
        known = found == self._list
        self._list, self._list_pem = found, list_pem
        if not known:
            _log.info("revocations_in_force", number=found.number, revoked=len(found.revocations))

    def _stamps(self) -> Mapping[Path, FileStamp]:
        stamps = {}
        for path in (self._published, self._kept):
            if path is not None:
                with suppress(OSError):
                    stamps[path] = stamp_of(path)
        return stamps
