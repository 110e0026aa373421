"""What callers of a farm may do."""

from collections.abc import Mapping
from enum import Enum
from functools import total_ordering
from typing import Final

from farm.core.identities import IdentityKind


@total_ordering
class Role(Enum):
    """What a caller may do; each may do what those before it may, and is more than they are."""

    INFER = "infer"
    """Send requests, and see the models that answer them."""
    OPERATE = "operate"
    """See all of the farm; load and unload what it has, take nodes out and put them back."""
    ADMIN = "admin"
    """Bring files and settings of one's own, and decide whom the farm trusts."""

    def __init__(self, _word: str) -> None:
        self._rank = len(type(self).__members__)

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, Role):
            return NotImplemented
        return self._rank < other._rank

    def __str__(self) -> str:
        return self.value


# A machine is a node by its certificate, and asks a gateway for no more than a client does.
ROLE_OF: Final[Mapping[IdentityKind, Role]] = {
    IdentityKind.NODE: Role.INFER,
    IdentityKind.CLIENT: Role.INFER,
    IdentityKind.OPERATOR: Role.OPERATE,
    IdentityKind.ADMIN: Role.ADMIN,
}

# What a certificate of a role is issued as.
KIND_OF: Final[Mapping[Role, IdentityKind]] = {
    Role.INFER: IdentityKind.CLIENT,
    Role.OPERATE: IdentityKind.OPERATOR,
    Role.ADMIN: IdentityKind.ADMIN,
}
