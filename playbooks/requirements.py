"""What a host installs: the locks, and which of their lines are for which machine and Python."""

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final, Literal, TypeAlias

from packaging.markers import Marker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import canonicalize_name

from farm.core.errors import ConfigurationError, UnsupportedError

# The oldest glibc that a platform tag of a wheel can name (PEP 600 and its predecessors).
_OLDEST_GLIBC_MINOR: Final = {"x86_64": 5, "aarch64": 17}
_LEGACY_PLATFORMS: Final = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}

Lock: TypeAlias = Literal["node", "head", "onnxruntime", "pip"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What decides which wheels a host can use.

    `arch` as `uname -m` prints it, `python` the host's (major, minor), `glibc` likewise.

    Raises:
        UnsupportedError: there are no wheels for such a machine.
    """

    arch: str
    python: tuple[int, int]
    glibc: tuple[int, int]

    def __post_init__(self) -> None:
        if self.arch not in _OLDEST_GLIBC_MINOR:
            raise UnsupportedError(
                f"no wheels exist for {self.arch}, only for {', '.join(_OLDEST_GLIBC_MINOR)}: "
                "install a 64-bit operating system"
            )

    def __str__(self) -> str:
        return f"Python {self.python_version} on {self.arch}"

    @property
    def python_version(self) -> str:
        return f"{self.python[0]}.{self.python[1]}"

    @property
    def interpreter(self) -> str:
        """The tag of its Python, such as `cp311`."""
        return f"cp{self.python[0]}{self.python[1]}"

    @property
    def platforms(self) -> tuple[str, ...]:
        """The platform tags of wheels that run there, the newest glibc first."""
        names: list[str] = []
        for minor in range(self.glibc[1], _OLDEST_GLIBC_MINOR[self.arch] - 1, -1):
            names.append(f"manylinux_2_{minor}_{self.arch}")
            if minor in _LEGACY_PLATFORMS:
                names.append(f"{_LEGACY_PLATFORMS[minor]}_{self.arch}")
        return tuple(names)

    def ranks(self) -> dict[Tag, int]:
        """Return the tags of wheels that run there; the lower the number, the better."""
        platforms = self.platforms
        tags = (
            *cpython_tags(self.python, [self.interpreter], platforms),
            *compatible_tags(self.python, self.interpreter, platforms),
        )
        return {tag: rank for rank, tag in enumerate(tags)}

    def needs(self, marker: Marker) -> bool:
        """Say whether a requirement with this environment marker is one of the target's.

        The patch level is not known: 0 is assumed, for what an early patch level needs is
        harmless on a later one.
        """
        environment = {
            "implementation_name": "cpython",
            "implementation_version": f"{self.python_version}.0",
            "os_name": "posix",
            "platform_machine": self.arch,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": f"{self.python_version}.0",
            "python_version": self.python_version,
            "sys_platform": "linux",
        }
        return marker.evaluate(environment)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """One version of a package, and the SHA-256 of every file that may be taken for it."""

    name: str
    version: str
    sha256: frozenset[str]
    marker: Marker | None = None

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


def parse_lock(text: str) -> tuple[Pin, ...]:
    """Read a lock in pip's format, in which each line pins a version and its hashes.

    Raises:
        ConfigurationError: a line does neither.
    """
    pins: list[Pin] = []
    for line in re.sub(r"\\\n", " ", text).splitlines():
        wanted, *hashes = re.split(r"\s--hash=sha256:", line.partition(" #")[0])
        if not wanted.strip() or wanted.lstrip().startswith("#"):
            continue
        try:
            requirement = Requirement(wanted.strip())
        except InvalidRequirement as error:
            raise ConfigurationError(f"a lock holds {wanted!r}: {error}; make lock") from error
        exact = [part.version for part in requirement.specifier if part.operator == "=="]
        if len(exact) != 1 or not hashes:
            raise ConfigurationError(f"a lock pins no version or no hash: {wanted!r}; make lock")
        pins.append(
            Pin(
                name=canonicalize_name(requirement.name),
                version=exact[0],
                sha256=frozenset(digest.strip() for digest in hashes),
                marker=requirement.marker,
            )
        )
    return tuple(pins)


@cache
def read_lock(lock: Lock) -> tuple[Pin, ...]:
    """Return the pins of a lock that is shipped with the farm."""
    return parse_lock(_shipped(f"{lock}.txt"))


def pins_for(role: Literal["node", "head"], target: Target, onnxruntime: str) -> tuple[Pin, ...]:
    """Return what a host of a role installs beside the farm itself, with this onnxruntime.

    What `head` installs is enough for a host that is a node too.

    Raises:
        ConfigurationError: no lock has this version of onnxruntime.
    """
    chosen = [pin for pin in read_lock("onnxruntime") if pin.version == onnxruntime]
    if not chosen:
        raise ConfigurationError(f"onnxruntime {onnxruntime} is in no lock: make lock")
    others = [pin for pin in read_lock(role) if pin.name != "onnxruntime"]
    needed = [pin for pin in others if pin.marker is None or target.needs(pin.marker)]
    return tuple(sorted((*needed, *chosen), key=lambda pin: pin.name))


def requirements_text(pins: Iterable[Pin]) -> str:
    """Return a requirements file for pip with what is pinned, and no markers."""
    return "".join(
        f"{pin.name}=={pin.version}"
        + "".join(f" --hash=sha256:{digest}" for digest in sorted(pin.sha256))
        + "\n"
        for pin in pins
    )


def onnxruntime_versions(cpu_class: str) -> tuple[str, ...]:
    """Return which versions of onnxruntime to try on a class of CPU, the preferred one first."""
    by_class: dict[str, list[str]] = tomllib.loads(_shipped("onnxruntime.toml"))
    return tuple(by_class.get(cpu_class, by_class["default"]))


def pythons_of(tags: Iterable[Tag], target: Target) -> tuple[str, ...]:
    """Return the Python versions that wheels with these tags run on, on the target's machine."""
    offered = frozenset(tags)
    candidates = (
        Target(arch=target.arch, python=(3, minor), glibc=target.glibc) for minor in range(11, 20)
    )
    return tuple(
        candidate.python_version
        for candidate in candidates
        if not offered.isdisjoint(candidate.ranks())
    )


def _shipped(name: str) -> str:
    return resources.files("playbooks").joinpath("locks", name).read_text()
