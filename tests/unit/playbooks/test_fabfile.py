"""Fabric's own command leads to the same commands."""

import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest
from invoke.context import Context
from typer.testing import CliRunner

from farm.cli.main import app
from playbooks import fabfile

FOLDER = Path(fabfile.__file__).parent
COMMANDS = ("bootstrap", "doctor", "trust", "uninstall", "upgrade")


def fab(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fabric", "-r", str(FOLDER), *arguments],
        cwd=folder,
        env={**os.environ, "FARM_HOME": str(folder / "home")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_command_for_hosts_is_there(tmp_path: Path) -> None:
    listed = fab("--list", folder=tmp_path).stdout.split()
    assert set(COMMANDS) <= set(listed)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_one_of_the_commands(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[list[str]] = []

    def run(arguments: list[str], *, check: bool) -> subprocess.CompletedProcess[str]:
        begun.append(arguments)
        return subprocess.CompletedProcess(arguments, 0)

    monkeypatch.setattr(fabfile.subprocess, "run", run)
    task = getattr(fabfile, command)
    options = set(inspect.signature(task.body).parameters) - {"_", "inventory", "limit"}
    given = dict.fromkeys(options, True) | {"inventory": "none.yaml"}
    if "limit" in inspect.signature(task.body).parameters:
        given["limit"] = ["a", "b"]
    task(Context(), **given)
    assert begun[0][:3] == [sys.executable, "-m", "farm"]
    ended = CliRunner().invoke(app, begun[0][3:])
    # It is past its options once it misses the inventory.
    assert ended.exit_code == 2
    assert ended.stderr.startswith("farm: none.yaml cannot be read"), ended.stderr


def test_arguments_and_exit_codes_are_the_commands_own(tmp_path: Path) -> None:
    (tmp_path / "shelf.yaml").write_text(
        "farm: {name: shelf}\nhosts:\n  pi-1: {address: 198.18.0.1, role: both}\n"
    )
    arguments = ("bootstrap", "-i", "shelf.yaml", "--limit", "pi-7", "--dry-run")
    ended = fab(*arguments, folder=tmp_path)
    assert ended.returncode == 2, ended.stderr
    assert ended.stderr.startswith("farm: ")
    assert "pi-7" in ended.stderr
    assert ended.stdout == ""
