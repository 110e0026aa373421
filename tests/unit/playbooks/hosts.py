"""Hosts for tests: this machine's shell in a folder of its own, and ways for it to fail."""

import grp
import os
import pwd
import subprocess
from collections.abc import Callable
from pathlib import Path

from farm.inventory import Host
from playbooks.commands import Put, Result, Run
from playbooks.transport import HostUnreachableError

# Who runs the tests, as an owner of files.
ME = f"{pwd.getpwuid(os.getuid()).pw_name}:{grp.getgrgid(os.getgid()).gr_name}"


def host(name: str, **fields: object) -> Host:
    number = sum(name.encode()) % 250 + 1
    return Host.model_validate({"name": name, "address": f"198.18.9.{number}", **fields})


class LocalHost:
    """A transport that runs commands here, in `folder`, and keeps what it was told.

    There is no root: what would run as root runs as whoever runs the tests. Files are put where
    they belong if that is in `folder`, and below it otherwise.

    The first command whose text holds `breaks_at` ends the connection before it runs, and
    `meets` is called before each command.
    """

    def __init__(self, folder: Path, *, breaks_at: str = "") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.breaks_at = breaks_at
        self.meets: Callable[[Run | Put], None] = lambda _: None
        self.commands: list[Run | Put] = []
        self.closed = 0

    def run(self, command: Run) -> Result:
        self._begin(command, command.text)
        done = subprocess.run(
            ["sh", "-c", command.text],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=command.timeout_s,
            check=False,
        )
        return Result(stdout=done.stdout, stderr=done.stderr, exit_code=done.returncode)

    def put(self, command: Put) -> None:
        self._begin(command, command.to)
        content = command.content
        target = Path(command.to)
        if not target.is_relative_to(self.folder):
            target = self.folder / command.to.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = target.with_name(f"{target.name}.farm-new")
        beside.write_bytes(content if isinstance(content, bytes) else content.read_bytes())
        beside.chmod(command.mode)
        beside.replace(target)

    def close(self) -> None:
        self.closed += 1

    @property
    def questions(self) -> int:
        return sum(isinstance(c, Run) and c.shown.startswith("facts") for c in self.commands)

    def _begin(self, command: Run | Put, text: str) -> None:
        self.meets(command)
        self.commands.append(command)
        if self.breaks_at and self.breaks_at in text:
            self.breaks_at = ""
            raise HostUnreachableError("the connection was lost", fix="run this again")
