"""A farm of one one-thread node in a process of its own, always ended."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

_STOP_TIMEOUT_S = 40.0
_LOG_TAIL = 4_000


@dataclass(frozen=True, slots=True)
class FarmProcess:
    """A farm that is ready: the gateway's pid and its gRPC address."""

    pid: int
    grpc: str


@contextmanager
def running_farm(models: Path, *, nodes: int = 1) -> Iterator[FarmProcess]:
    """Run `farm up --nodes NODES --models MODELS` on free ports; drain and stop it after.

    `farm.demo.running_farm` serves the zoo and hides the pid, hence this one.

    Raises:
        RuntimeError: it did not start; its last words go to stderr.
    """
    command = [sys.executable, "-m", "farm", "up", "--nodes", str(nodes), "--models", str(models)]
    ports = ["--grpc", "127.0.0.1:0", "--metrics", "127.0.0.1:0"]
    with tempfile.TemporaryFile("w+") as log, tempfile.TemporaryDirectory() as state:
        process = subprocess.Popen(
            [*command, *ports],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            bufsize=1,
            env={**os.environ, "FARM_STATE_DIR": state},
        )
        try:
            yield FarmProcess(pid=process.pid, grpc=_await_ready(process, log))
        except BaseException:
            # What the farm said may explain why the caller failed.
            sys.stderr.write(f"the farm's last words:\n{_tail(log)}\n")
            raise
        finally:
            process.terminate()
            try:
                process.wait(_STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()


def _await_ready(process: subprocess.Popen[str], log: IO[str]) -> str:
    """Return the gRPC address from the ready line; `farm up` bounds its own start."""
    line = process.stdout.readline() if process.stdout is not None else ""
    for word in line.split():
        if word.startswith("grpc="):
            return word.removeprefix("grpc=")
    process.wait(_STOP_TIMEOUT_S)
    raise RuntimeError("the farm did not start")


def _tail(log: IO[str]) -> str:
    log.seek(0)
    return log.read()[-_LOG_TAIL:]
