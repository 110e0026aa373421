"""Fabric's own command leads to the same commands."""

import os
import subprocess
import sys
from pathlib import Path

import playbooks

FOLDER = Path(playbooks.__file__).parent


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
    assert {"bootstrap", "doctor", "trust", "uninstall", "upgrade"} <= set(listed)


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
