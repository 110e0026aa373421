"""One machine of a farm of several, and how Ray is started on it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self

from farm.cluster import ray_environment
from farm.cluster.names import resource_name
from farm.core.host_tls import HostTls
from farm.core.ports import ClusterPorts

# Named by `RAY_START_HOOK`, which Ray calls with its parameters before it starts anything.
_HOOK = "farm.cluster.ray_hook.without_client_server"


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What this machine's part of Ray needs to know.

    `head` is where the head's control store listens, HOST:PORT; with `gcs_dir`, where it keeps
    its tables, this machine is the head itself. With `serves` a node's actor may be placed
    here. `ray_dir` is for Ray's files, which last as long as Ray runs. `state_dir` is where the
    time floor is kept.
    """

    name: str
    address: str
    head: str
    port_base: int
    serves: bool
    ca: Path
    certificate: Path
    key: Path
    token: Path
    ray_dir: Path
    state_dir: Path
    object_store_bytes: int
    gcs_dir: Path | None = None

    @property
    def tls(self) -> HostTls:
        return HostTls(ca=self.ca, certificate=self.certificate, key=self.key)

    @property
    def ports(self) -> ClusterPorts:
        return ClusterPorts(self.port_base)

    @property
    def temp_dir(self) -> Path:
        """Ray's own folder: one a cluster, as two may run here while one replaces the other."""
        return self.ray_dir / str(self.port_base)

    def to_json(self) -> str:
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return json.dumps(values, default=str)

    def program(self, python: str) -> list[str]:
        """Return the command line of the program that keeps Ray running on this machine."""
        return [python, "-P", "-m", "farm.cluster.ray_service", self.to_json()]

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return what `to_json` made a text of."""
        values = json.loads(text)
        for name in ("ca", "certificate", "key", "token", "ray_dir", "state_dir", "gcs_dir"):
            if values[name] is not None:
                values[name] = Path(values[name])
        return cls(**values)


def ray_environment_of(machine: Machine, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of Ray's processes on a machine, given the service's own."""
    # Whatever else is set for Ray would be another cluster's.
    others = {key: value for key, value in environment.items() if not key.startswith("RAY_")}
    own = dict(ray_environment.secured(tls=machine.tls, token=machine.token))
    if machine.gcs_dir is not None:
        own |= ray_environment.stored(machine.gcs_dir)
        own["RAY_START_HOOK"] = _HOOK
    return others | own


def start_command(machine: Machine, ray: Path) -> list[str]:
    """Return the command line that starts Ray here and ends once this machine has joined."""
    ports = machine.ports
    first_worker, last_worker = ports.workers
    resources = {resource_name(machine.name): 1} if machine.serves else {}
    head = (
        ["--head", f"--port={ports.gcs}", "--include-dashboard=false", "--no-monitor"]
        if machine.gcs_dir is not None
        else [f"--address={machine.head}"]
    )
    return [
        str(ray),
        "start",
        *head,
        f"--node-ip-address={machine.address}",
        f"--node-name={machine.name}",
        f"--node-manager-port={ports.node_manager}",
        f"--object-manager-port={ports.object_manager}",
        f"--dashboard-agent-grpc-port={ports.dashboard_agent_grpc}",
        f"--dashboard-agent-listen-port={ports.dashboard_agent_listen}",
        f"--runtime-env-agent-port={ports.runtime_env_agent}",
        f"--metrics-export-port={ports.metrics_export}",
        f"--min-worker-port={first_worker}",
        f"--max-worker-port={last_worker}",
        f"--resources={json.dumps(resources)}",
        # Batches take no part of it: how many run at once is the actor's business.
        "--num-cpus=0",
        f"--object-store-memory={machine.object_store_bytes}",
        # It would cost 270 MB, and nobody reads what it carries to the head.
        "--include-log-monitor=false",
        "--disable-usage-stats",
        f"--temp-dir={machine.temp_dir}",
        "--log-style=record",
        "--log-color=false",
    ]
