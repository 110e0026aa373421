"""`farm top --web` as a process of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

WAIT_S = 30


@contextmanager
def top_page(*arguments: str) -> Iterator[str]:
    """Serve a screen; yield its address, with the token."""
    process = subprocess.Popen(
        [sys.executable, "-m", "farm", "top", "--web", *arguments],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "FARM_HOME": "/nonexistent"},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.send_signal(signal.SIGTERM)
        assert process.wait(WAIT_S) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
