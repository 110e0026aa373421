"""Bearer tokens: how they look, and what a farm keeps of them to know who shows one.

A token is `farm_<id>_<secret>`. Its secret is 256 random bits, so SHA-256 alone may keep it: the
slow hashes of passwords make few and likely guesses dear, and here there are 2^256 unlikely ones.
"""

import json
import re
import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from hmac import compare_digest
from typing import Any, Final, Self

from farm.core.errors import ConfigurationError, UnauthenticatedError
from farm.core.identities import NAME
from farm.core.roles import Role

PREFIX: Final = "farm_"

_ID_BYTES: Final = 6
_SECRET_BYTES: Final = 32
_TOKEN: Final = re.compile(
    rf"{PREFIX}(?P<id>[0-9a-f]{{{2 * _ID_BYTES}}})_[0-9a-f]{{{2 * _SECRET_BYTES}}}", re.ASCII
)
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")

_FORMAT: Final = 1
_MOMENT: Final = "%Y-%m-%d %H:%M UTC"
# What an unknown token is compared with, so that it takes as long as a wrong one.
_NOBODYS: Final = "0" * 64
# An unknown id and a wrong secret are told in the same words.
_STRANGE: Final = (
    "this token is none of the farm's; ask those who run it for one (`farm tokens issue`)"
)


def is_token(text: str) -> bool:
    """Whether a text has the form of a token."""
    return _TOKEN.fullmatch(text) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedToken:
    """What is kept of a token: whose it is, and the SHA-256 of the whole, in hex.

    Moments are in UTC.
    """

    id: str
    name: str
    role: Role
    digest: str
    issued: datetime
    expires: datetime
    revoked: datetime | None = None

    def good(self, now: datetime) -> bool:
        """Whether it is accepted at a moment."""
        return self.revoked is None and now < self.expires


@dataclass(frozen=True, slots=True)
class Tokens:
    """All tokens of a farm, in the order in which they were issued, whatever became of them."""

    issued: tuple[IssuedToken, ...] = ()

    def issue(self, name: str, role: Role, *, now: datetime, days: int) -> tuple[Self, str]:
        """Return the farm's tokens with a new one, and the token itself, which nobody keeps.

        Raises:
            ConfigurationError: the name cannot be one, or has a token that is good.
        """
        if not NAME.fullmatch(name):
            raise ConfigurationError(
                f"a token cannot be called '{name[:80]}': use 1 to 63 letters, digits, dots,"
                " dashes and underscores, and a letter or digit first and last"
            )
        if any(token.name == name and token.good(now) for token in self.issued):
            raise ConfigurationError(
                f"'{name}' has a token that is good; issue one under another name, or revoke that"
                f" one first (`farm tokens revoke {name}`)"
            )
        known = {token.id for token in self.issued}
        while (own := secrets.token_hex(_ID_BYTES)) in known:
            pass
        text = f"{PREFIX}{own}_{secrets.token_hex(_SECRET_BYTES)}"
        whole = now.astimezone(UTC).replace(microsecond=0)
        token = IssuedToken(
            id=own,
            name=name,
            role=role,
            digest=_digest(text),
            issued=whole,
            expires=whole + timedelta(days=days),
        )
        return type(self)((*self.issued, token)), text

    def revoke(self, name: str, *, now: datetime) -> Self:
        """Return the farm's tokens with that of a name taken back.

        Raises:
            ConfigurationError: nobody of that name has one that is good.
        """
        if not any(token.name == name and token.good(now) for token in self.issued):
            known = ", ".join(token.name for token in self.issued if token.good(now)) or "none"
            raise ConfigurationError(
                f"there is no token of '{name[:80]}' to take back; good are: {known}"
            )
        whole = now.astimezone(UTC).replace(microsecond=0)
        return type(self)(
            tuple(
                replace(token, revoked=whole) if token.name == name and token.good(now) else token
                for token in self.issued
            )
        )

    def to_json(self) -> bytes:
        """Return what is kept of them in a file: no secret of any."""
        kept = [
            {
                "id": token.id,
                "name": token.name,
                "role": str(token.role),
                "sha256": token.digest,
                "issued": token.issued.isoformat(),
                "expires": token.expires.isoformat(),
                "revoked": token.revoked.isoformat() if token.revoked else None,
            }
            for token in self.issued
        ]
        return (json.dumps({"format": _FORMAT, "tokens": kept}, indent=2) + "\n").encode()

    @classmethod
    def of_json(cls, content: bytes) -> Self:
        """Return what a file says.

        Raises:
            ValueError: it is not what `to_json` makes; the message says where, and no secret.
        """
        try:
            document = json.loads(content)
        except RecursionError:
            raise ValueError("it is nested too deeply") from None
        if not isinstance(document, dict) or document.get("format") != _FORMAT:
            raise ValueError(f"it is no file of tokens of format {_FORMAT}")
        entries = document.get("tokens")
        if not isinstance(entries, list):
            raise ValueError("it has no list of tokens")
        issued = tuple(_issued(entry, number) for number, entry in enumerate(entries, 1))
        if len({token.id for token in issued}) < len(issued):
            raise ValueError("two tokens have one id")
        return cls(issued)


class TokenBook:
    """The tokens of a farm by id, to look up who shows one."""

    def __init__(self, tokens: Tokens) -> None:
        self._by_id = {token.id: token for token in tokens.issued}

    def holder(self, text: str, *, now: datetime) -> IssuedToken:
        """Return whose token it is.

        Raises:
            UnauthenticatedError: nobody's, or one that is not good any more. Only who shows its
                right secret is told that there was such a token.
        """
        found = _TOKEN.fullmatch(text)
        token = self._by_id.get(found["id"]) if found else None
        right = compare_digest(_digest(text), token.digest if token else _NOBODYS)
        if token is None or not right:
            raise UnauthenticatedError(_STRANGE)
        self.check(token, now=now)
        return token

    def check(self, token: IssuedToken, *, now: datetime) -> None:
        """See that a token whose holder was let in is still good.

        Raises:
            UnauthenticatedError: it has ended, was revoked, or is none of the farm's any more.
        """
        known = self._by_id.get(token.id)
        if known is None or known.digest != token.digest:
            raise UnauthenticatedError(_STRANGE)
        if not known.good(now):
            ended = f"good until {known.expires:{_MOMENT}}"
            if known.revoked:
                ended = f"revoked on {known.revoked:{_MOMENT}}"
            raise UnauthenticatedError(
                f"the token of '{known.name}' was {ended}; ask those who run the farm for a new"
                " one (`farm tokens issue`)"
            )


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "backslashreplace")).hexdigest()


def _issued(entry: Any, number: int) -> IssuedToken:
    try:
        token = IssuedToken(
            id=entry["id"],
            name=entry["name"],
            role=Role(entry["role"]),
            digest=entry["sha256"],
            issued=_moment(entry["issued"]),
            expires=_moment(entry["expires"]),
            revoked=None if entry["revoked"] is None else _moment(entry["revoked"]),
        )
        sound = (
            re.fullmatch(rf"[0-9a-f]{{{2 * _ID_BYTES}}}", token.id)
            and NAME.fullmatch(token.name)
            and _DIGEST.fullmatch(token.digest)
        )
    except (KeyError, TypeError, ValueError):
        sound = None
    if not sound:
        raise ValueError(f"its token {number} is not as it should be")
    return token


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a moment without a zone")
    return moment.astimezone(UTC)
