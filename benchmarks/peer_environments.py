"""The peers of the serving benchmark, and a virtual environment for each.

`python -m benchmarks.peer_environments` installs what is missing. A peer that cannot be
installed is told with its reason in the benchmark's table; it stops nothing else.
"""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Final

from benchmarks.report import ROOT

_FOLDER: Final = ROOT / "benchmarks" / ".venvs"
_OUTCOME: Final = "outcome.json"
_INSTALL_TIMEOUT_S: Final = 1_200.0


class PeerUnavailableError(Exception):
    """A peer cannot be measured here; the message is the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Another server: its package below benchmarks/peers, and the Python that it needs.

    `distribution` is its name among the requirements.
    """

    package: str
    title: str
    distribution: str
    python: str

    @property
    def module(self) -> str:
        return f"benchmarks.peers.{self.package}.serve"

    @property
    def requirements(self) -> Path:
        return ROOT / "benchmarks" / "peers" / self.package / "requirements.txt"

    @property
    def versions(self) -> str:
        """The pinned versions that a figure depends on."""
        lines = self.requirements.read_text(encoding="utf-8").splitlines()
        pins = dict(line.split("==") for line in lines if "==" in line and line[0] != "#")
        used = (self.distribution, "onnxruntime", "grpcio", "numpy")
        return ", ".join([f"python {self.python}", *(f"{name} {pins[name]}" for name in used)])

    @property
    def interpreter(self) -> Path:
        return _FOLDER / self.package / "bin" / "python"


PEERS: Final = (
    Peer(package="ray_serve", title="Ray Serve", distribution="ray", python="3.11"),
    Peer(package="mlserver", title="MLServer", distribution="mlserver", python="3.11"),
    Peer(package="pytriton", title="PyTriton", distribution="nvidia-pytriton", python="3.13"),
)


def interpreter(peer: Peer) -> str:
    """Return the Python of an installed peer.

    Raises:
        PeerUnavailableError: it is not installed, or not with these requirements.
    """
    outcome = _outcome(peer)
    if outcome is None:
        raise PeerUnavailableError("not installed: run `make bench-peers`")
    if outcome["failure"]:
        raise PeerUnavailableError(f"could not be installed: {outcome['failure']}")
    return str(peer.interpreter)


def install(peer: Peer) -> None:
    """Make the peer's environment unless it is there; note how long it took, or why not."""
    outcome = _outcome(peer)
    if outcome is not None and not outcome["failure"]:
        return
    folder = _FOLDER / peer.package
    shutil.rmtree(folder, ignore_errors=True)
    began = perf_counter()
    failure = _installed(peer, folder)
    folder.mkdir(parents=True, exist_ok=True)
    outcome = {
        "requirements": peer.requirements.read_text(encoding="utf-8"),
        "seconds": round(perf_counter() - began),
        "failure": failure,
    }
    (folder / _OUTCOME).write_text(json.dumps(outcome, indent=1), encoding="utf-8")
    said = f"failed: {failure}" if failure else f"installed in {outcome['seconds']} s"
    sys.stderr.write(f"{peer.title}: {said}\n")


def _outcome(peer: Peer) -> dict[str, Any] | None:
    """Return what became of the last installation of the requirements as they are now."""
    noted = _FOLDER / peer.package / _OUTCOME
    if not noted.exists():
        return None
    outcome: dict[str, Any] = json.loads(noted.read_text(encoding="utf-8"))
    wanted = peer.requirements.read_text(encoding="utf-8")
    return outcome if outcome["requirements"] == wanted else None


def _installed(peer: Peer, folder: Path) -> str:
    """Return an empty string, or why it failed."""
    python = _python(peer.python)
    if python is None:
        return f"no Python {peer.python} on this machine"
    pip = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    commands = (
        (python, "-m", "venv", str(folder)),
        (str(peer.interpreter), *pip, "-r", str(peer.requirements)),
    )
    for command in commands:
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=_INSTALL_TIMEOUT_S, check=False
            )
        except subprocess.TimeoutExpired:
            return f"not done after {_INSTALL_TIMEOUT_S:.0f} s"
        if done.returncode:
            lines = done.stderr.strip().splitlines()
            return lines[-1] if lines else f"exit code {done.returncode}"
    return ""


def _python(version: str) -> str | None:
    """Return a Python of `version`: this one, one on PATH, or one of pyenv's."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    candidates = (
        sys.executable,
        shutil.which(f"python{version}") or "",
        *map(str, pyenv.glob(f"versions/{version}.*/bin/python")),
    )
    # A name on PATH may be a shim that runs nothing.
    return next((python for python in candidates if python and _version(python) == version), None)


def _version(python: str) -> str:
    ask = "import sys; print('{}.{}'.format(*sys.version_info))"
    done = subprocess.run([python, "-c", ask], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def main() -> None:
    for peer in PEERS:
        install(peer)


if __name__ == "__main__":
    main()
