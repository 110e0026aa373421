"""A Ray cluster of this machine's own: the embedded farm's."""

import contextlib
import logging
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import psutil

from farm.cluster import ray_environment
from farm.cluster.names import NAMESPACE, resource_name
from farm.core.errors import ConfigurationError

# Only the largest batches pass through the object store; two of them fit easily.
_OBJECT_STORE_BYTES = 256 << 20

_VITAL = ("raylet", "gcs_server")


class LocalCluster:
    """Ray's processes on this machine, apart from any other Ray: own folder, own address."""

    def __init__(self, node_ids: Sequence[str]) -> None:
        self.node_ids = tuple(node_ids)
        self._reaper: subprocess.Popen[bytes] | None = None
        self._vital: dict[psutil.Process, str] = {}
        # Children this process had before; they are none of the cluster's.
        self._foreign: frozenset[psutil.Process] = frozenset()
        # Ray's sockets need a short path, whatever TMPDIR says.
        self.folder = Path(tempfile.mkdtemp(prefix="farm-", dir=_short_tmp()))

    def start(self) -> None:
        """Start Ray and connect this process as its driver.

        Ray reads its settings from the environment when it is first imported, so nothing
        may import it before this.

        Raises:
            ConfigurationError: Ray did not start.
        """
        if "ray" in sys.modules:
            raise ConfigurationError(
                "ray was imported before the embedded farm was started, so it would run without"
                " its token; start the farm first"
            )
        self._foreign = frozenset(psutil.Process().children(recursive=True))
        self._reaper = subprocess.Popen(
            [sys.executable, "-m", "farm.cluster.reaper", str(os.getpid()), str(self.folder)],
            stdin=subprocess.PIPE,
            # Ctrl-C on the terminal is for the farm, which then ends in good order.
            start_new_session=True,
        )
        os.environ.update(
            ray_environment.SETTINGS,
            RAY_AUTH_TOKEN=secrets.token_hex(32),
            # Else Ray listens on every interface, without TLS, for other machines to join.
            RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER="0",
        )
        # `ray.init` would join whatever cluster this names.
        os.environ.pop("RAY_ADDRESS", None)
        import ray

        logging.getLogger("ray").setLevel(logging.ERROR)
        try:
            ray.init(
                address="local",
                namespace=NAMESPACE,
                num_cpus=0,
                resources={resource_name(node_id): 1 for node_id in self.node_ids},
                object_store_memory=_OBJECT_STORE_BYTES,
                include_dashboard=False,
                log_to_driver=False,
                configure_logging=False,
                _temp_dir=str(self.folder / "ray"),
            )
            children = psutil.Process().children()
            self._vital = {p: name for p in children if (name := p.name()) in _VITAL}
        except Exception as error:
            self.stop()
            raise ConfigurationError(
                f"Ray did not start on this machine ({type(error).__name__}: {error})"
            ) from error

    def ended(self) -> str:
        """Say which of Ray's own processes has ended, if one has: nothing works without."""
        for process in self._vital:
            with contextlib.suppress(psutil.NoSuchProcess):
                if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                    continue
            return f"Ray's {self._vital[process]} ended"
        return ""

    def stop(self) -> None:
        """End Ray's processes and remove their files."""
        if self._reaper is not None:
            import ray

            ray.shutdown()
            self._end_children()
        shutil.rmtree(self.folder, ignore_errors=True)
        if self._reaper is not None and self._reaper.stdin is not None:
            self._reaper.stdin.close()
            self._reaper.wait()
            self._reaper = None

    def _end_children(self) -> None:
        """End what Ray itself does not, when it was interrupted while it started."""
        reaper = self._reaper.pid if self._reaper is not None else 0
        children = set(psutil.Process().children(recursive=True)) - self._foreign
        left = [process for process in children if process.pid != reaper]
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(left, timeout=5)


def _short_tmp() -> str | None:
    return "/tmp" if os.access("/tmp", os.W_OK) else None  # noqa: S108 - a private folder in it
