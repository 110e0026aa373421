"""What pip's output says about why a wheel could not be fetched."""

import re
from collections.abc import Iterator

from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from farm.core.errors import (
    ConfigurationError,
    FarmError,
    IntegrityError,
    UnreachableError,
    UnsupportedError,
)
from playbooks.requirements import Pin, Target, pythons_of

_WHEEL = re.compile(r"[\w.!+%-]+\.whl\b")
_RELEASES = re.compile(r"\(from versions: ([^)]*)\)")
# What pip says between attempts, and about an index page that it could not get.
_UNREACHABLE = re.compile(r"Retrying \(|connection broken|Could not fetch URL|Network is unreach")
_CERTIFICATE = re.compile(r"CERTIFICATE_VERIFY_FAILED|SSLError")


class NoWheelError(UnsupportedError):
    """A package has no wheel for a host's Python, machine or glibc; other versions may have."""


def failure_of(output: str, pin: Pin, target: Target) -> FarmError:
    """Return the error for a `pip download -vv` of one pin that did not succeed."""
    if "No module named pip" in output:
        return ConfigurationError(
            f"this Python has no pip, with which {pin} is fetched for the hosts: run"
            " `python -m ensurepip` in the farm's environment"
        )
    if "No space left on device" in output:
        return ConfigurationError(
            f"no space left on this machine while {pin} was fetched: free some, or set "
            "FARM_CACHE and TMPDIR to folders on another disk"
        )
    if "DO NOT MATCH THE HASHES" in output:
        return IntegrityError(
            f"the package index offers other bytes for {pin} than the farm's lock pins; "
            "nothing of it was kept. Find out who changed them before going on: a broken "
            "mirror, a proxy, or an attack"
        )
    offered = list(_wheels_of(output, pin))
    if offered:
        return _no_wheel(offered, pin, target)
    if _CERTIFICATE.search(output):
        return UnreachableError(
            f"{pin} is not in the wheelhouse, and the package index has a certificate that this "
            "machine does not trust: set pip's `cert` to the authority of your proxy or mirror"
        )
    if _UNREACHABLE.search(output):
        return UnreachableError(
            f"{pin} is not in the wheelhouse, and the package index does not answer: connect "
            "this machine to the internet once, or point pip's `index-url` at a mirror"
        )
    others = _RELEASES.search(output)
    if others:
        known = others.group(1).replace("none", "") or "no version of it"
        return NoWheelError(
            f"the package index has no {pin} for {target}; it has {known}: point pip's "
            "`index-url` at one that has it"
        )
    errors = [line for line in output.splitlines() if line.lstrip().startswith("ERROR:")]
    said = errors[-1].strip() if errors else output.strip()[-300:]
    return UnreachableError(f"{pin} could not be fetched; pip says: {said}")


def _no_wheel(offered: list[frozenset[Tag]], pin: Pin, target: Target) -> NoWheelError:
    tags = frozenset[Tag]().union(*offered)
    newer = Target(arch=target.arch, python=target.python, glibc=(target.glibc[0], 99))
    if not tags.isdisjoint(newer.ranks()):
        return NoWheelError(
            f"{pin} needs a newer glibc than the host's {target.glibc[0]}.{target.glibc[1]}: "
            "install a newer release of its operating system"
        )
    pythons = pythons_of(tags, newer)
    if pythons:
        return NoWheelError(
            f"{pin} has no wheel for {target}, only for Python {', '.join(pythons)}: give all "
            "hosts an operating system with one of these"
        )
    return NoWheelError(f"{pin} has no wheel for {target}, nor for another Python on it")


def _wheels_of(output: str, pin: Pin) -> Iterator[frozenset[Tag]]:
    """Yield the tags of every wheel of the pinned version that pip saw."""
    for name in set(_WHEEL.findall(output)):
        try:
            package, version, _, tags = parse_wheel_filename(name)
            if package == canonicalize_name(pin.name) and version == Version(pin.version):
                yield tags
        except (InvalidWheelFilename, InvalidVersion):
            continue
