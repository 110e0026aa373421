"""The wheels that hosts install, fetched once and kept on the operator's machine by digest."""

import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from packaging.utils import parse_wheel_filename

from farm.core.errors import IntegrityError
from playbooks.cache import CachedFile, sha256_of, staging, writing
from playbooks.pip_failures import failure_of
from playbooks.requirements import Pin, Target, requirements_text

# Downloads wait for the network more than for each other; more would only queue at the index.
_AT_ONCE: Final = 4


class Wheelhouse:
    """A folder of wheels, each in a folder named after its SHA-256.

    What is in it is complete: a file is moved there in one piece once its digest is right. So
    an interrupted fetch goes on where it ended, and several processes and threads may use one.
    `tell` is told what is going on, in words for the operator.
    """

    def __init__(self, cache: Path, *, tell: Callable[[str], None] = lambda _: None) -> None:
        self._wheels = cache / "wheels"
        self._tell = tell
        # Files whose bytes were compared with their digest by this process.
        self._checked: set[Path] = set()

    def find(self, pin: Pin, target: Target) -> CachedFile | None:
        """Return the wheel that fits the target best of those here, None if none does.

        A file whose bytes are no longer what its folder says is removed.
        """
        ranks = target.ranks()
        ranked: list[tuple[int, Path]] = []
        for digest in pin.sha256:
            for path in (self._wheels / digest).glob("*.whl"):
                tags = parse_wheel_filename(path.name)[3]
                if not tags.isdisjoint(ranks):
                    ranked.append((min(ranks[tag] for tag in tags if tag in ranks), path))
        for _, path in sorted(ranked):
            if self._is_whole(path):
                return CachedFile.of(path, path.parent.name)
        return None

    def fetch(self, pins: Sequence[Pin], target: Target) -> tuple[CachedFile, ...]:
        """Return one wheel for each pin; those that are not here yet come over the network.

        Raises:
            NoWheelError: a pin has no wheel for the target; says for which Python it has.
            IntegrityError: the package index offers other bytes than the lock pins.
            UnreachableError: a wheel is missing and the package index does not answer.
            ConfigurationError: this machine lacks pip or space.
        """
        found = {pin: self.find(pin, target) for pin in pins}
        if None in found.values():
            with writing(self._wheels), staging(self._wheels, self._wait) as folder:
                missing = [pin for pin in pins if self.find(pin, target) is None]
                self._download(missing, target, folder)
            found = {pin: self.find(pin, target) for pin in pins}
        wheels = tuple(wheel for wheel in found.values() if wheel is not None)
        if len(wheels) != len(found):
            lost = ", ".join(str(pin) for pin, wheel in found.items() if wheel is None)
            raise IntegrityError(f"what was fetched for {lost} does not fit {target}: make lock")
        return wheels

    def add(self, name: str, content: bytes) -> CachedFile:
        """Keep a wheel that was made here, and return it."""
        digest = hashlib.sha256(content).hexdigest()
        path = self._wheels / digest / name
        if not (path.is_file() and self._is_whole(path)):
            with writing(self._wheels), staging(self._wheels, self._wait) as folder:
                new = folder / name
                new.write_bytes(content)
                self._keep(new, digest)
        return CachedFile.of(path, path.parent.name)

    def _download(self, pins: Sequence[Pin], target: Target, folder: Path) -> None:
        """Fetch each with a pip of its own, so that an error names the package it is about."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            try:
                fetched = pool.map(lambda pin: self._download_one(pin, target, folder), pins)
                for count, pin in enumerate(fetched, 1):
                    self._tell(f"fetched {pin} for {target} ({count} of {len(pins)})")
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

    def _download_one(self, pin: Pin, target: Target, folder: Path) -> Pin:
        with tempfile.TemporaryDirectory(dir=folder) as own:
            requirements = Path(own) / "requirements.txt"
            requirements.write_text(requirements_text([pin]))
            ended = subprocess.run(
                _pip_download(requirements, target, Path(own)),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
                env={name: value for name, value in os.environ.items() if name != "PIP_QUIET"},
            )
            wheels = list(Path(own).glob("*.whl"))
            if ended.returncode or len(wheels) != 1:
                raise failure_of(ended.stdout + ended.stderr, pin, target)
            digest = sha256_of(wheels[0])
            if digest not in pin.sha256:
                raise IntegrityError(f"what was fetched for {pin} is not what the lock pins")
            self._keep(wheels[0], digest)
        return pin

    def _keep(self, wheel: Path, digest: str) -> None:
        home = self._wheels / digest
        home.mkdir(exist_ok=True)
        wheel.replace(home / wheel.name)

    def _wait(self) -> None:
        self._tell("waiting for another farm command that is fetching wheels")

    def _is_whole(self, path: Path) -> bool:
        """Compare a file with its digest, once in this process; remove it if it differs."""
        if path not in self._checked:
            if sha256_of(path) != path.parent.name:
                path.unlink(missing_ok=True)
                return False
            self._checked.add(path)
        return True


def _pip_download(requirements: Path, target: Target, folder: Path) -> list[str]:
    """Return the command that fetches wheels for a target with the operator's own pip.

    The package index, proxy and certificates are those of pip's settings. With -vv it tells
    which files it passes over, from which an error can tell what there would be.
    """
    platforms = [argument for name in target.platforms for argument in ("--platform", name)]
    return [
        *(sys.executable, "-m", "pip", "-vv", "--no-input", "--disable-pip-version-check"),
        *("download", "--no-deps", "--only-binary=:all:", "--require-hashes", "--no-cache-dir"),
        *("--retries=2", "--progress-bar=off", "--implementation=cp"),
        *(f"--abi={target.interpreter}", f"--python-version={target.python_version}"),
        *platforms,
        *("--dest", str(folder), "--requirement", str(requirements)),
    ]
