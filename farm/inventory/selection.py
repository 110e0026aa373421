"""Which hosts a `--limit` means."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from farm.core.errors import ConfigurationError
from farm.core.suggestions import nearest
from farm.core.text import printable
from farm.inventory.ranges import expanded

if TYPE_CHECKING:
    from farm.inventory.model import Host


def selected(hosts: "Sequence[Host]", patterns: Sequence[str]) -> "tuple[Host, ...]":
    """Return the hosts that any pattern means, in their order.

    Raises:
        ConfigurationError: a pattern means no host, or a part of a range none.
    """
    names: set[str] = set()
    for pattern in patterns:
        for part in _parts(pattern):
            found = {host.name for host in hosts if _means(part, host)}
            if not found:
                hint = nearest(part, [host.name for host in hosts])
                raise ConfigurationError(
                    f"--limit {printable(pattern)}: no host of the inventory is meant by"
                    f" '{printable(part)}'{hint or '; farm inventory show lists them'}"
                )
            names |= found
    return tuple(host for host in hosts if host.name in names)


def _parts(pattern: str) -> list[str]:
    try:
        return expanded(pattern)
    except ValueError as error:
        raise ConfigurationError(f"--limit {printable(pattern)}: {error}") from error


def _means(part: str, host: "Host") -> bool:
    key, equals, value = part.partition("=")
    if not equals:
        return fnmatchcase(host.name, part)
    if key == "role":
        return fnmatchcase(host.role, value) or (
            host.role.leads if value == "head" else value == "node" and host.role.serves
        )
    return key in host.labels and fnmatchcase(host.labels[key], value)
