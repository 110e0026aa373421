"""How a peer's process is told what to serve, tells that it serves, and ends."""

import argparse
import os
import signal
import socket
import threading
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Service:
    """What was asked for: a repository in Triton's layout; and where to say so."""

    models: Path
    output: int

    @classmethod
    def from_command_line(cls, description: str | None) -> "Service":
        """Read the command line; from here on only `say_ready` writes to the real output."""
        parser = argparse.ArgumentParser(description=description)
        parser.add_argument("models", type=Path, help="a repository in Triton's layout")
        given = parser.parse_args()
        # Servers log to the output, where nobody reads any more once they are ready.
        output = os.dup(1)
        os.dup2(2, 1)
        return cls(models=given.models.resolve(), output=output)

    def say_ready(self, port: int) -> None:
        os.write(self.output, f"ready grpc=127.0.0.1:{port}\n".encode())


def free_port() -> int:
    """Return a loopback port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_the_end() -> None:
    """Return once SIGTERM comes; servers that set a handler of their own did so before."""
    told = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: told.set())
    told.wait()
