"""Versions: which folder names are one, and which of them a policy serves."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

MAX_VERSION: Final = 2**63 - 1
"""The largest version that the wire's int64 can name."""

_VERSION: Final = re.compile(r"[1-9][0-9]*", re.ASCII)
_DIGITS: Final = re.compile(r"[0-9]+", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class LatestVersions:
    """Serve the `count` largest numbers, or all if there are fewer."""

    count: int = 1


LATEST_VERSION: Final = LatestVersions()
"""The policy of a model that states none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AllVersions:
    """Serve every version of the repository."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecificVersions:
    """Serve exactly these, in ascending order."""

    versions: tuple[int, ...]


VersionPolicy = LatestVersions | AllVersions | SpecificVersions


def version_number(folder: str) -> int | None:
    """Return the version that a folder's name stands for, or None if it stands for none.

    A version is a positive decimal integer without leading zeros, up to `MAX_VERSION`.
    """
    if not _VERSION.fullmatch(folder):
        return None
    number = int(folder)
    return number if number <= MAX_VERSION else None


def looks_like_version(folder: str) -> bool:
    """Whether a folder's name is all digits, so that its owner may take it for a version."""
    return _DIGITS.fullmatch(folder) is not None


def chosen_versions(policy: VersionPolicy, found: Collection[int]) -> tuple[int, ...]:
    """Return the versions that `policy` wants served, in ascending order.

    For `SpecificVersions` these may include versions that are not in `found`.
    """
    match policy:
        case LatestVersions(count=count):
            return tuple(sorted(sorted(found, reverse=True)[:count]))
        case AllVersions():
            return tuple(sorted(found))
        case SpecificVersions(versions=versions):
            return versions
