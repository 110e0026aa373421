"""The operator's machine of a lab: the real `farm` command, with a home of its own."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lab import Lab
from lab.terms import cache

# Three bare hosts on two busy cores take four minutes; an emulated one takes longer.
TIMEOUT_S = 1500.0
_LOOK_S = 0.5
_PIPES: Final = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A command that ended. `document` is its JSON on standard output; `said` all it printed."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def said(self) -> str:
        return self.stdout + self.stderr

    @property
    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.stdout)
        return document

    @property
    def hosts(self) -> dict[str, dict[str, Any]]:
        """What became of each host, of a command that changes hosts."""
        return {host["host"]: host for host in self.document["run"]["hosts"]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """`home` is where it keeps its farms, `cache` what it pushes to hosts, wheels above all.

    `code` is a folder with the farm's packages, if it has another version than these tests.
    """

    home: Path
    cache: Path
    code: Path | None = None

    @classmethod
    def of(cls, lab: Lab) -> "Operator":
        """Return the one of a lab. All labs share the cache, which takes minutes to fetch."""
        lab.home.mkdir(exist_ok=True)
        return cls(home=lab.home, cache=cache() / "supplies")

    @property
    def environment(self) -> Mapping[str, str]:
        return {
            **os.environ,
            **({"PYTHONPATH": str(self.code)} if self.code else {}),
            "FARM_HOME": str(self.home),
            "FARM_CACHE": str(self.cache),
            # Whoever runs the tests may keep a password there.
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        }

    def start(self, *arguments: str | Path, **options: Any) -> subprocess.Popen[str]:
        """Start `farm` with these arguments."""
        return subprocess.Popen(
            [sys.executable, "-m", "farm", *map(str, arguments)],
            text=True,
            env=self.environment,
            cwd=self.home,
            **{"stdin": subprocess.DEVNULL, **options},
        )

    def farm(self, *arguments: str | Path, timeout_s: float = TIMEOUT_S) -> Ended:
        """Run `farm` with these arguments to its end."""
        with self.start(*arguments, **_PIPES) as command:
            return _ended(command, timeout_s)

    def farm_at_terminal(self, answer: str, *arguments: str | Path) -> Ended:
        """Run `farm` at a terminal on which somebody gives this answer to its question."""
        keyboard, terminal = os.openpty()
        # In a session of its own it has no other terminal to ask on than this one.
        options = {"stdin": terminal, "start_new_session": True, **_PIPES}
        try:
            with self.start(*arguments, **options) as command:
                assert command.stderr is not None
                asked = ""
                while not asked.endswith(": ") and (letter := command.stderr.read(1)):
                    asked += letter
                os.write(keyboard, f"{answer}\n".encode())
                return _ended(command, TIMEOUT_S)
        finally:
            os.close(keyboard)
            os.close(terminal)

    def trust(self, inventory: Path) -> None:
        """Accept the keys that the hosts of an inventory show, those that answer."""
        self.farm("hosts", "trust", "-i", inventory, "--yes")

    def bootstrap(self, inventory: Path, *more: str) -> Ended:
        return self.farm("bootstrap", "-i", inventory, "--output", "json", *more)

    def await_nodes(self, *names: str, timeout_s: float = 240.0) -> None:
        """Wait until exactly these nodes of the farm are ready."""
        deadline = time.monotonic() + timeout_s
        while True:
            ended = self.farm("nodes", "ls", "--output", "json")
            if ended.exit_code == 0:
                states = {node["node"]: node["state"] for node in ended.document["nodes"]}
                if states == dict.fromkeys(names, "ready"):
                    return
            assert time.monotonic() < deadline, f"not all of {names} are ready: {ended.said}"
            time.sleep(_LOOK_S)


def _ended(command: subprocess.Popen[str], timeout_s: float) -> Ended:
    try:
        stdout, stderr = command.communicate(timeout=timeout_s)
    except BaseException:
        command.kill()
        raise
    return Ended(exit_code=command.returncode, stdout=stdout, stderr=stderr)
