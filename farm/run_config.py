"""What the services of a farm of several machines read: `node.yaml`, `head-a.yaml` and so on.

Bootstrap writes them; nothing in the environment overrides them.
"""

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    IPvAnyAddress,
    ValidationError,
    model_validator,
)

from farm.cluster.attachment import Attachment
from farm.cluster.machine import Machine
from farm.config import Address, Cores, FarmConfig, Folder, NodeConfig, Splits
from farm.core.errors import ConfigurationError
from farm.core.host_tls import HostTls
from farm.core.identities import NAME
from farm.core.ports import CLUSTER_BASES, ClusterPorts
from farm.energy.economics import Economics
from farm.node.settings import MeterSettings, NodeSettings
from farm.sections.hardware import Hardware
from farm.sections.problems import reason
from farm.sections.section import Section


def _whole(path: Path) -> Path:
    if not path.is_absolute():
        raise ValueError("a whole path, one that begins with /, is needed")
    return path


WholePath = Annotated[Path, AfterValidator(_whole)]
HostName = Annotated[str, Field(pattern=f"^{NAME.pattern}$")]
# The ports of a machine are the hundred from here; two clusters' must not touch.
PortBase = Annotated[int, Field(ge=1024, le=65400)]

# Only the largest batches that find no connection of their own pass through it.
_OBJECT_STORE_BYTES = 128 << 20
# Less Ray refuses.
_LEAST_OBJECT_STORE_BYTES = 80 << 20


class TlsFiles(Section):
    """PEM files: the farm's CA, this machine's certificate and its key."""

    ca: WholePath
    certificate: WholePath
    key: WholePath

    def files(self) -> HostTls:
        return HostTls(ca=self.ca, certificate=self.certificate, key=self.key)


class ClusterConfig(Section):
    """A machine's place in the farm's Ray cluster.

    `token` is a file with the cluster's secret that only its owner may read.
    """

    address: IPvAnyAddress
    port_base: PortBase = CLUSTER_BASES["a"]
    tls: TlsFiles
    token: WholePath

    def attachment(self) -> Attachment:
        """Return what a gateway on the head's machine needs."""
        return Attachment(
            address=str(self.address),
            port_base=self.port_base,
            tls=self.tls.files(),
            token=self.token,
        )


class _MachineConfig(ClusterConfig):
    name: HostName
    ray_dir: Annotated[
        WholePath, Field(description="for Ray's files, best in memory; a short path")
    ]
    state_dir: Annotated[WholePath, Field(description="where the latest time seen is kept")]
    object_store_bytes: Annotated[int, Field(ge=_LEAST_OBJECT_STORE_BYTES)] = _OBJECT_STORE_BYTES

    def _machine(self, **more: Any) -> Machine:
        return Machine(
            name=self.name,
            address=str(self.address),
            port_base=self.port_base,
            ca=self.tls.ca,
            certificate=self.tls.certificate,
            key=self.tls.key,
            token=self.token,
            ray_dir=self.ray_dir,
            state_dir=self.state_dir,
            object_store_bytes=self.object_store_bytes,
            **more,
        )


class NodeRunConfig(_MachineConfig):
    """`farm run node`: a machine that serves. `head` is where the farm's head listens."""

    head: Address

    def machine(self) -> Machine:
        return self._machine(head=self.head, serves=True)


class HeadRunConfig(_MachineConfig):
    """`farm run head`: the machine that leads; with `serves` it is a node as well.

    `gcs_dir` is where the cluster's tables outlive a restart.
    """

    gcs_dir: WholePath
    serves: bool = False

    def machine(self) -> Machine:
        own = ClusterPorts(self.port_base)
        host = f"[{self.address}]" if self.address.version == 6 else str(self.address)
        # Another version of Ray would not understand the tables of this one.
        tables = self.gcs_dir / f"{own.base}-{version('ray')}"
        return self._machine(head=f"{host}:{own.gcs}", serves=self.serves, gcs_dir=tables)


class ServingNodeConfig(NodeConfig):
    """A node of the farm as its gateway knows it; `cache_dir` is on the node's own disk."""

    cache_dir: WholePath

    def settings(self, node_id: str, *, batch_port: int) -> NodeSettings:
        """Return what the node's actor is told."""
        return NodeSettings(
            node_id=node_id,
            cache_dir=self.cache_dir,
            slots=self.slots,
            threads_per_slot=self.threads_per_slot,
            measure_splits=self.splits is Splits.MEASURED,
            max_store_bytes=self.max_store_bytes,
            max_sessions=self.max_sessions,
            max_session_bytes=self.max_session_bytes,
            qualify_timeout_s=self.qualify_timeout_s,
            batch_port=batch_port,
            own_cores=self.cores is Cores.OWN,
            board=self.board or "",
            meter=(
                None
                if self.meter is None
                else MeterSettings(**self.meter.model_dump(mode="json", exclude_none=True))
            ),
        )


class ServedFarmConfig(FarmConfig):
    """The gateway's own settings; a service has no user whose folders it could use."""

    models: Folder
    state_dir: Folder
    curves_dir: Folder


class GatewayRunConfig(Section):
    """`farm run gateway`: the gateway's own settings, its place in the cluster, and the nodes."""

    farm: ServedFarmConfig
    cluster: ClusterConfig
    nodes: Annotated[dict[HostName, ServingNodeConfig], Field(min_length=1)]
    others: Annotated[
        Mapping[HostName, Hardware],
        Field(description="the farm's machines that run no models, such as its head"),
    ] = {}

    @model_validator(mode="after")
    def _priced(self) -> Self:
        priced = any(host.board_price is not None for host in self._hosts().values())
        if priced and self.farm.power.currency is None:
            raise ValueError("farm.power.currency is missing, and boards have a price")
        return self

    def node_settings(self) -> list[NodeSettings]:
        port = ClusterPorts(self.cluster.port_base).batches
        return [node.settings(name, batch_port=port) for name, node in self.nodes.items()]

    def economics(self) -> Economics:
        """Return what power costs, and all machines; one that runs no models is had as well."""
        hosts = {
            name: host.economics(name, serves=name in self.nodes)
            for name, host in self._hosts().items()
        }
        return self.farm.power.economics(hosts)

    def _hosts(self) -> Mapping[str, Hardware]:
        return {**self.others, **self.nodes}


_Config = TypeVar("_Config", bound=BaseModel)


def load_run_config(kind: type[_Config], file: Path) -> _Config:
    """Read one of the files above.

    Raises:
        ConfigurationError: it cannot be read or a value is wrong; the message names each one.
    """
    try:
        values = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file} is not YAML: {error}") from error
    if not isinstance(values, Mapping):
        raise ConfigurationError(f"{file} must be a mapping, as `farm bootstrap` writes it")
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise ConfigurationError("; ".join(_problems(file, error))) from error


def _problems(file: Path, error: ValidationError) -> list[str]:
    problems = []
    for problem in error.errors():
        place = ".".join(str(part) for part in problem["loc"])
        unknown = problem["type"] == "extra_forbidden"
        what = "there is no such setting" if unknown else reason(problem)
        problems.append(f"{file}: {place}: {what}" if place else f"{file}: {what}")
    return problems
