"""A farm of one-thread nodes in a process of its own, always ended."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.server_process import ServerProcess, running_server

# `farm up` bounds its own start.
_START_TIMEOUT_S = 300.0


@contextmanager
def running_farm(
    models: Path, *, nodes: int = 1, module: str = "farm", **settings: str
) -> Iterator[ServerProcess]:
    """Run `farm up --nodes NODES --models MODELS` on free ports; drain and stop it after.

    `module` is what Python runs as the command line, `settings` are variables of its
    environment. The first process is the gateway. `farm.demo.running_farm` serves the zoo and
    hides the pid, hence this one.

    Raises:
        RuntimeError: it did not start.
    """
    command = [sys.executable, "-m", module, "up", "--nodes", str(nodes), "--models", str(models)]
    ports = ["--grpc", "127.0.0.1:0", "--metrics", "127.0.0.1:0"]
    with tempfile.TemporaryDirectory() as state:
        own = {"FARM_STATE_DIR": state, "FARM_CURVES_DIR": f"{state}/curves"}
        env = {**os.environ, **own, **settings}
        with running_server([*command, *ports], env, start_timeout_s=_START_TIMEOUT_S) as farm:
            yield farm
