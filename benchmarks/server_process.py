"""A server in a process of its own, ready when it says so, and always ended with all of its."""

import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

import psutil

from benchmarks.report import ROOT

_STOP_TIMEOUT_S = 40.0
_LOG_TAIL = 4_000


@dataclass(frozen=True, slots=True)
class ServerProcess:
    """A server that is ready: its first process and its gRPC address."""

    pid: int
    grpc: str


@contextmanager
def running_server(
    command: Sequence[str], env: Mapping[str, str], *, start_timeout_s: float
) -> Iterator[ServerProcess]:
    """Run `command` until its line with `grpc=HOST:PORT`; stop it and what it started after.

    It gets a session of its own, so that Ctrl-C reaches this process first.

    Raises:
        RuntimeError: it did not get ready in time; its last line is in the message.
    """
    with tempfile.TemporaryFile("a+") as log:
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            bufsize=1,
            cwd=ROOT,
            env=env,
            start_new_session=True,
        )
        too_late = threading.Timer(start_timeout_s, process.kill)
        too_late.start()
        try:
            address = _ready_address(process)
            too_late.cancel()
            if address is None:
                last = _tail(log).rstrip().rpartition("\n")[2]
                raise RuntimeError(f"it did not get ready: {last}")
            yield ServerProcess(pid=process.pid, grpc=address)
        except Exception:
            # What the server said may explain why the caller failed.
            sys.stderr.write(f"the server's last words:\n{_tail(log)}\n")
            raise
        finally:
            too_late.cancel()
            _stop(process)
            if process.stdout is not None:
                process.stdout.close()


def _ready_address(process: subprocess.Popen[str]) -> str | None:
    """Return the address of the first line that has one; None when the output ends before."""
    assert process.stdout is not None
    for line in process.stdout:
        for word in line.split():
            if word.startswith("grpc="):
                return word.removeprefix("grpc=")
    return None


def _stop(process: subprocess.Popen[str]) -> None:
    """End the process, and whatever it started that outlives it."""
    try:
        started = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        started = []
    process.terminate()
    try:
        process.wait(_STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for left in started:
        # Held since before its parent ended, so it is not another one with the same pid.
        if left.is_running():
            left.kill()


def _tail(log: IO[str]) -> str:
    log.seek(0)
    return log.read()[-_LOG_TAIL:]
