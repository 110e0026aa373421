"""How far long work is: on a terminal, and only there."""

import json
import os
import pty
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from farm.cli.progress import changing, counted, doing


def on_a_terminal(*arguments: str) -> tuple[str, str]:
    """Run `farm` with a terminal as standard error; return what it wrote there and on output."""
    ours, theirs = pty.openpty()
    said: list[bytes] = []

    def read() -> None:
        # Linux ends a terminal that nobody has open any more with an error.
        try:
            while block := os.read(ours, 4096):
                said.append(block)
        except OSError:
            pass

    reader = threading.Thread(target=read)
    reader.start()
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "farm", *arguments],
            env={**os.environ, "TERM": "xterm"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=theirs,
            timeout=60,
            check=False,
        )
    finally:
        os.close(theirs)
        reader.join(10)
        os.close(ours)
    assert ended.returncode == 0
    return b"".join(said).decode(), ended.stdout.decode()


def test_a_terminal_shows_it_and_data_stays_apart(tmp_path: Path) -> None:
    path = tmp_path / "bundle.tar.gz"
    shown, printed = on_a_terminal(
        "support-bundle", "--to", str(path), "--connect", "127.0.0.1:9", "-o", "json"
    )
    assert "the gateway" in shown
    assert "\x1b[" in shown
    assert json.loads(printed)["bundle"]["file"] == str(path)


def test_a_pipe_shows_nothing_but_changes(capsys: pytest.CaptureFixture[str]) -> None:
    with doing("work") as show:
        show("other work")
    with counted("things", 3) as advance:
        advance(1)
    with changing() as show:
        for line in ("half", "half", "done"):
            show(line)
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "half\ndone\n")
