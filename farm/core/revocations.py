"""Certificates that are not taken any more, as a farm's CA lists them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final


class RevocationReason(StrEnum):
    """Why a certificate was revoked, in the words of X.509 (RFC 5280, 5.3.1)."""

    UNSPECIFIED = "unspecified"
    KEY_COMPROMISE = "key-compromise"
    AFFILIATION_CHANGED = "affiliation-changed"
    SUPERSEDED = "superseded"
    CESSATION_OF_OPERATION = "cessation-of-operation"
    PRIVILEGE_WITHDRAWN = "privilege-withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """One certificate of a CA, by its serial number, that is not taken any more."""

    serial: int
    revoked_at: datetime
    reason: RevocationReason


@dataclass(frozen=True, slots=True, kw_only=True)
class RevocationList:
    """All that a CA has revoked, by serial number; a list that follows has a higher `number`."""

    number: int
    revocations: Mapping[int, Revocation] = field(default_factory=dict)

    def why_not_after(self, before: "RevocationList") -> str:
        """Return why this list must not take the place of one in force, "" if it may.

        What was once revoked stays so: who replays an old list, or signs one from a backup of
        the CA that does not know the latest, lets nobody in again.
        """
        if self.number <= before.number:
            return f"its number, {self.number}, is not above {before.number}, that of the list here"
        missing = len(before.revocations.keys() - self.revocations.keys())
        if missing:
            return f"{missing} of the certificates that are revoked here are not on it"
        return ""


# Where nothing was revoked yet.
NO_REVOCATIONS: Final = RevocationList(number=0)
