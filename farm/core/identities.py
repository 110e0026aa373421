"""Who a certificate is for, as the URI among its names says: `farm://<farm>/<kind>/<name>`."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

from farm.core.errors import ConfigurationError

# As in host names and user names; nothing that would need escaping in a URI or a path.
NAME: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_URI = re.compile(r"farm://(?P<farm>[^/]+)/(?P<kind>[^/]+)/(?P<name>[^/]+)")


class IdentityKind(StrEnum):
    """What a program that shows a certificate may do."""

    NODE = "node"
    """A machine of the farm: it serves, and other machines of the farm trust it."""
    ADMIN = "admin"
    """Somebody who decides whom the farm trusts and what it runs."""
    OPERATOR = "operator"
    """Somebody who runs the farm."""
    CLIENT = "client"
    """Somebody who may send requests."""


@dataclass(frozen=True, slots=True)
class Identity:
    """One machine or person of one farm.

    Raises:
        ConfigurationError: a name is not 1 to 63 letters, digits, dots, dashes and underscores
            that begin and end with a letter or digit.
    """

    farm: str
    kind: IdentityKind
    name: str

    def __post_init__(self) -> None:
        for what, name in (("farm", self.farm), (self.kind, self.name)):
            if not NAME.fullmatch(name):
                raise ConfigurationError(
                    f"the {what}'s name '{name[:80]}' cannot stand in a certificate: use 1 to 63"
                    " letters, digits, dots, dashes and underscores, and a letter or digit first"
                    " and last"
                )

    @property
    def uri(self) -> str:
        """The identity as certificates hold it."""
        return f"farm://{self.farm}/{self.kind}/{self.name}"

    @classmethod
    def of_uri(cls, uri: str) -> Self | None:
        """Return the identity that a URI names, or None if it names none of a farm's."""
        found = _URI.fullmatch(uri)
        if found is None:
            return None
        try:
            return cls(found["farm"], IdentityKind(found["kind"]), found["name"])
        except (ValueError, ConfigurationError):
            return None
