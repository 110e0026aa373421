"""The words of an inventory that have a form of their own: names, addresses, users, labels."""

import re
from collections.abc import Mapping
from ipaddress import IPv6Address, ip_address
from typing import Annotated, Final

from pydantic import AfterValidator, Field

# As in DNS, for a name becomes a Ray resource, a unit's name and part of a certificate.
_NAME = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
_USER = "^[a-z_][a-z0-9_-]{0,31}$"
_LABEL_KEY = "^[A-Za-z0-9]([A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?$"
_LABEL_VALUE = "^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$"

# What each pattern asks for, for whoever does not read patterns.
PATTERN_MEANINGS: Final[Mapping[str, str]] = {
    _NAME: "must be 1 to 63 lower-case letters, digits and inner hyphens, as in DNS",
    _USER: "must be a user's name, like pi",
    _LABEL_KEY: "must be letters, digits and inner . _ / -, at most 63",
    _LABEL_VALUE: "must be letters, digits and inner . _ -, at most 63",
}

_DOMAIN = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9-]{1,63})*")
_NOT_SHARED = "must be an address at which the other hosts reach this one"


def name_problem(name: str) -> str | None:
    """Return why a host cannot have this name, or None if it can."""
    return None if re.fullmatch(_NAME, name) else PATTERN_MEANINGS[_NAME]


def _host_address(value: str) -> str:
    """Return an address that the other hosts can reach, in its one canonical spelling."""
    try:
        parsed = ip_address(value)
    except ValueError:
        name = _domain(value)
        if name == "localhost" or name.endswith(".localhost"):
            raise ValueError(_NOT_SHARED) from None
        return name
    if isinstance(parsed, IPv6Address) and parsed.scope_id is not None:
        raise ValueError("must not name an interface: other hosts have other ones")
    if parsed.is_loopback or parsed.is_unspecified or parsed.is_multicast:
        raise ValueError(_NOT_SHARED)
    return str(parsed)


def _domain(value: str) -> str:
    """Return a DNS name in lower case; one that looks like an IPv4 address is a mistyped one."""
    if set(value) <= set("0123456789."):
        raise ValueError("must be an IPv4 address: four numbers to 255, without leading zeros")
    if ":" in value:
        raise ValueError("must be an IP address or a name, without a port and without brackets")
    name = value.lower().removesuffix(".")
    if not _DOMAIN.fullmatch(name):
        raise ValueError("must be an IP address or a DNS name")
    return name


def _listen_address(value: str) -> str:
    host, colon, port = value.rpartition(":")
    if not colon or not re.fullmatch("[0-9]{1,5}", port) or not 1 <= int(port) <= 65535:
        raise ValueError("must be HOST:PORT with a port of 1 to 65535, like 0.0.0.0:8001")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        parsed = ip_address(bare)
    except ValueError:
        return f"{_domain(host)}:{port}"
    if isinstance(parsed, IPv6Address) != (bare != host):
        raise ValueError("must have an IPv6 address in brackets and no other, like [::]:8001")
    return value


Name = Annotated[str, Field(pattern=_NAME)]
HostAddress = Annotated[str, AfterValidator(_host_address)]
ListenAddress = Annotated[str, AfterValidator(_listen_address)]
User = Annotated[str, Field(pattern=_USER)]
LabelKey = Annotated[str, Field(pattern=_LABEL_KEY)]
# Editors read `rack: 1` as a number; the farm reads what is written.
LabelValue = Annotated[
    str,
    Field(pattern=_LABEL_VALUE, json_schema_extra={"type": ["string", "number", "boolean"]}),
]
