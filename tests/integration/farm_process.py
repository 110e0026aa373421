"""Runs `farm up` as users do, in a process of its own, and leaves nothing of it behind."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Self

import psutil

START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 60.0


class FarmProcess:
    """A farm on free ports. `grpc` and `metrics` are HOST:PORT once it is ready.

    It keeps its state in `folder`, so that no farm of another test finds it. `environment` is
    added to that of the tests.
    """

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        grpc: str = "127.0.0.1:0",
        metrics: str = "127.0.0.1:0",
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.log_file = folder / "farm-up.log"
        self._environment = {
            "FARM_STATE_DIR": str(folder / "state"),
            "FARM_CURVES_DIR": str(folder / "curves"),
            **environment,
        }
        self._arguments = (*arguments, "--grpc", grpc, "--metrics", metrics)
        self._family: set[psutil.Process] = set()
        self.grpc = ""
        self.metrics = ""
        self.nodes = 0

    def __enter__(self) -> Self:
        self.launch()
        try:
            self.await_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def launch(self) -> None:
        """Start the process without waiting for it."""
        with self.log_file.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "farm", "up", *self._arguments],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, **self._environment},
            )

    def await_ready(self) -> None:
        """Wait for the ready line and take the addresses from it."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("ready "), f"not ready: {line!r}\n{self.log()}"
        fields = dict(word.split("=") for word in line.split()[1:])
        self.grpc, self.metrics, self.nodes = (
            fields["grpc"],
            fields["metrics"],
            int(fields["nodes"]),
        )
        self.lives()

    def log(self) -> str:
        return self.log_file.read_text()

    def lives(self) -> bool:
        """Whether the first process runs; what it has started meanwhile is remembered."""
        with contextlib.suppress(psutil.NoSuchProcess):
            self._family.update(psutil.Process(self.process.pid).children(recursive=True))
        return self.process.poll() is None

    def family(self) -> list[psutil.Process]:
        """Return every process of this farm that runs but the first, known while that lives."""
        self.lives()
        return [process for process in self._family if process.is_running()]

    def resident_bytes(self, mark: str = "") -> int:
        """Return the RSS of the gateway, or of the children whose command line has `mark`."""
        if not mark:
            return psutil.Process(self.process.pid).memory_info().rss
        marked = self.children(mark)
        assert marked, f"no process of the farm is a {mark}"
        return sum(process.memory_info().rss for process in marked)

    def children(self, mark: str) -> list[psutil.Process]:
        """Return the processes whose command line has `mark`, such as `ray::NodeActor`."""
        found = []
        for process in self.family():
            with contextlib.suppress(psutil.NoSuchProcess):
                if mark in " ".join(process.cmdline()):
                    found.append(process)
        return found

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def stop(self) -> int:
        """Drain and end the farm; return its exit code. Nothing survives, even a failure."""
        family = self.family()
        try:
            if self.process.poll() is None:
                self.terminate()
            return self.process.wait(STOP_TIMEOUT_S)
        finally:
            self.process.kill()
            self.process.wait()
            if self.process.stdout is not None:
                self.process.stdout.close()
            _, survivors = psutil.wait_procs(family, timeout=15)
            for survivor in survivors:
                survivor.kill()
            self.survivors = [process.pid for process in survivors]


def wait_until(condition: object, *, timeout_s: float, what: str) -> None:
    """Wait for a condition with a bound."""
    assert callable(condition)
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        time.sleep(0.05)
