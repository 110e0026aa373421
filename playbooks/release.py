"""A release: what a host installs, under an id that says whether it has it already."""

import hashlib
from dataclasses import dataclass
from typing import Final, Literal

from farm import __version__
from playbooks import layout
from playbooks.cache import CachedFile
from playbooks.commands import script, sh
from playbooks.own_wheel import NAME
from playbooks.requirements import Pin, Target, pins_for, read_lock, requirements_text
from playbooks.wheelhouse import Wheelhouse

# Two modules in five, and as much of the time that bytecode takes. Whoever needs one of them
# can still import it.
_NEVER_IMPORTED: Final = "/(tests|ray/(data|llm|rllib|train|tune))/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """The farm and all it needs for one kind of host, in a virtual environment of its own."""

    wheel: CachedFile
    pins: tuple[Pin, ...]
    target: Target
    version: str = __version__

    @property
    def id(self) -> str:
        """The farm's version and a digest of all that is installed, and for which Python.

        Known without fetching anything, and the same on x86-64 and aarch64.
        """
        content = f"{self.target.interpreter}\n{self.requirements}"
        return f"{self.version}-{hashlib.sha256(content.encode()).hexdigest()[:8]}"

    @property
    def onnxruntime(self) -> str:
        return next(pin.version for pin in self.pins if pin.name == "onnxruntime")

    @property
    def requirements(self) -> str:
        """The requirements file that pip is given on the host."""
        own = Pin(name=NAME, version=self.version, sha256=frozenset({self.wheel.sha256}))
        return requirements_text((*self.pins, own))

    @property
    def requirements_path(self) -> str:
        """Where that file lies on the host."""
        return f"{layout.WHEELS}/{self.id}.txt"

    def wheels(self, wheelhouse: Wheelhouse) -> tuple[CachedFile, ...]:
        """Return all wheels that the host needs, the pip that installs them among them.

        Raises what `Wheelhouse.fetch` does.
        """
        fetched = wheelhouse.fetch((*self.pins, *read_lock("pip")), self.target)
        return (*fetched, self.wheel)


def release_for(
    role: Literal["node", "head"], target: Target, *, onnxruntime: str, wheel: CachedFile
) -> Release:
    """Return the release for a role; a host that is both gets `head`, which holds all.

    `onnxruntime` is one of `onnxruntime_versions`, `wheel` the farm's own.
    """
    return Release(wheel=wheel, pins=pins_for(role, target, onnxruntime), target=target)


def alone_text() -> str:
    """Return a line that lets a script wait for one that a lost connection left running.

    It would be in the same folder, and its failure would take this one's files away.
    """
    return f"exec 9<{sh(layout.RELEASES)} && flock 9"


def install_text(release: Release, *, python: str) -> str:
    """Return the script that installs a release on a host without any network.

    `python` is the host's interpreter. The wheels and the requirements file are there. What an
    interrupted run left in the folder is removed first. After a failure nothing is left: the
    disk may be full, or a power cut may have damaged a wheel, which the next run then brings
    anew. In the end all is on the disk, so that a stamp written after it does not outlive a
    power cut that the files did not.
    """
    folder = layout.release(release.id)
    (pip,) = read_lock("pip")
    return script(
        alone_text(),
        # Services run as another user than the one that installs.
        "umask 022",
        sh("trap", f"test $? -eq 0 || rm -rf {sh(folder, layout.WHEELS)}/*", "EXIT"),
        # The host's own pip and ensurepip are not needed, and Debian ships neither by default.
        sh(python, "-m", "venv", "--without-pip", "--clear", folder),
        "PIP_CONFIG_FILE=/dev/null "
        + sh(
            *(f"{folder}/bin/python", f"{layout.WHEELS}/pip-{pip.version}-py3-none-any.whl/pip"),
            *("--isolated", "--quiet", "--disable-pip-version-check", "install", "--no-index"),
            *("--root-user-action=ignore", "--no-cache-dir", "--no-deps", "--no-compile"),
            *("--require-hashes", "--find-links", layout.WHEELS),
            *("--requirement", release.requirements_path),
        ),
        # Services may not write here, so bytecode is made now; on all cores, unlike pip's.
        sh(
            *(f"{folder}/bin/python", "-m", "compileall", "-q", "-j", "0"),
            *("-x", _NEVER_IMPORTED, f"{folder}/lib"),
        ),
        sh("sync", "-f", folder),
    )
