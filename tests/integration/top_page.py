"""`farm top --web` as a process of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import TemporaryDirectory

WAIT_S = 30


@dataclass(frozen=True)
class TopPage:
    """The process that serves a page, and the page's address with its token."""

    process: "subprocess.Popen[str]"
    url: str


@contextmanager
def top_page(*arguments: str) -> Iterator[TopPage]:
    """Serve a screen; end it in order, unless a test has ended it otherwise."""
    home = TemporaryDirectory()
    process = subprocess.Popen(
        [sys.executable, "-m", "farm", "top", "--web", *arguments],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "FARM_HOME": home.name},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        yield TopPage(process, process.stdout.readline().strip())
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            assert process.wait(WAIT_S) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        home.cleanup()
