"""A gateway's place in the cluster of a farm of several machines."""

import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

from farm.cluster import ray_environment, ray_port
from farm.cluster.names import NAMESPACE
from farm.core.errors import ConfigurationError, UnreachableError
from farm.core.host_tls import HostTls
from farm.core.ports import ClusterPorts

# The head's services start together with the gateway after a power cut; then systemd tries
# again.
_HEAD_S = 120.0
_LOOK_EVERY_S = 0.5
_ANSWER_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """Where the farm's head is, on this machine, and what it takes to be let in."""

    address: str
    port_base: int
    tls: HostTls
    token: Path

    @contextmanager
    def attached(self, on_wait: Callable[[str], None]) -> Iterator[None]:
        """Connect this process to the head as a driver, once it answers, and disconnect it.

        Ray reads its settings from the environment when it is first imported, so nothing
        may import it before this. It stays connected while the head restarts. Actors outlive
        the connection, and whoever connects next finds them as they were.

        Raises:
            UnreachableError: the head does not answer, or refuses.
        """
        if "ray" in sys.modules:
            raise ConfigurationError(
                "ray was imported before its environment was set; start the gateway in a process"
                " of its own"
            )
        self._await_head(on_wait)
        # Whatever else is set for Ray would be another cluster's.
        for name in [name for name in os.environ if name.startswith("RAY_")]:
            del os.environ[name]
        os.environ.update(ray_environment.secured(tls=self.tls, token=self.token))
        import ray

        logging.getLogger("ray").setLevel(logging.ERROR)
        head = self._head
        try:
            ray.init(
                address=head,
                namespace=NAMESPACE,
                log_to_driver=False,
                configure_logging=False,
                _node_ip_address=self.address,
            )
        except Exception as error:
            raise UnreachableError(
                f"Ray's head at {head} refuses this gateway ({type(error).__name__}: {error}); its"
                f" token must be the one in {self.token}, and its certificates the same CA's"
            ) from error
        try:
            yield
        finally:
            ray.shutdown()

    @property
    def _head(self) -> str:
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{host}:{ClusterPorts(self.port_base).gcs}"

    def _await_head(self, on_wait: Callable[[str], None]) -> None:
        ports = ClusterPorts(self.port_base)
        until = monotonic() + _HEAD_S
        for port in (ports.gcs, ports.node_manager):
            while fault := ray_port.obstacle(self.tls, self.address, port, within_s=_ANSWER_S):
                if monotonic() >= until:
                    raise UnreachableError(
                        f"the farm's head at {self._head} does not serve this gateway: port"
                        f" {port}: {fault}; see what `systemctl status 'farm-head@*'` says"
                    )
                on_wait(f"waiting for the head at {self._head}: {fault}")
                sleep(_LOOK_EVERY_S)
