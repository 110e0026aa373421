"""A farm's hosts and settings, as everything that acts on them sees them."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from farm.core.errors import ConfigurationError
from farm.inventory.selection import selected
from farm.inventory.words import (
    HostAddress,
    LabelKey,
    LabelValue,
    ListenAddress,
    Name,
    User,
)
from farm.sections.hardware import Hardware
from farm.sections.power import Power
from farm.sections.section import Section
from farm.sections.tracing import Tracing
from farm.sections.words import HomePath

# Threads of one node: more than any board has cores, and few enough to be started.
_MAX_THREADS = 256


class Role(StrEnum):
    """What a host does in the farm."""

    HEAD = "head"
    NODE = "node"
    BOTH = "both"

    @property
    def leads(self) -> bool:
        """Whether the gateway and Ray's head run there."""
        return self is not Role.NODE

    @property
    def serves(self) -> bool:
        """Whether it runs models."""
        return self is not Role.HEAD


class Tls(StrEnum):
    """Who proves an identity to whom on the gateway's ports, and how."""

    OFF = "off"
    """Nobody does, and nobody on another machine gets in."""
    SERVER = "server"
    """The gateway by its certificate, clients on other machines by a token in each call."""
    MUTUAL = "mutual"
    """Both by certificates."""


class HostSettings(Hardware):
    """What hosts may have in common."""

    user: Annotated[User, Field(description="who logs in over SSH and may use sudo")] = "pi"
    port: Annotated[int, Field(ge=1, le=65535, description="of SSH")] = 22
    ssh_key: Annotated[
        HomePath | None,
        Field(description="private key; without one those of the agent and of ~/.ssh"),
    ] = None
    labels: Annotated[
        Mapping[LabelKey, LabelValue], Field(description="to choose hosts by, like rack: a")
    ] = {}
    slots: Annotated[
        int | None,
        Field(ge=1, le=64, description="batches at once; without it, as many as its cores allow"),
    ] = None
    threads_per_slot: Annotated[int | None, Field(ge=1, le=64)] = None
    memory_max_mb: Annotated[
        int | None,
        Field(
            ge=128,
            description="for each of the farm's services; without it, what the system leaves",
        ),
    ] = None

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if (self.slots or 1) * (self.threads_per_slot or 1) > _MAX_THREADS:
            raise ValueError(f"slots x threads_per_slot must be at most {_MAX_THREADS}")
        return self


class Host(HostSettings):
    """One machine, seen over SSH."""

    name: Name
    address: HostAddress
    role: Role = Role.NODE

    @property
    def hardware(self) -> Hardware:
        """The machine alone, as the farm's gateway is told of it."""
        return Hardware(**{name: getattr(self, name) for name in Hardware.model_fields})


class GatewaySettings(Section):
    """Where the gateway listens and whom it trusts."""

    grpc: ListenAddress = "0.0.0.0:8001"
    metrics: ListenAddress = "127.0.0.1:8002"
    metrics_triton: Annotated[
        bool, Field(description="export Triton's metrics of models beside the farm's own")
    ] = False
    tracing: Annotated[Tracing | None, Field(description="without it no request is traced")] = None
    tls: Annotated[
        Tls,
        Field(
            description="mutual: clients need a certificate; server: a token; off: none, and only"
            " this machine is let in"
        ),
    ] = Tls.MUTUAL
    operators: Annotated[
        ListenAddress,
        Field(description="where operators show their certificates, unless all clients do"),
    ] = "0.0.0.0:8003"
    names: Annotated[
        tuple[HostAddress, ...],
        Field(description="by which clients call the gateway, beside its host's name and address"),
    ] = ()

    @model_validator(mode="after")
    def _apart(self) -> Self:
        ports = [each.rpartition(":")[2] for each in (self.grpc, self.metrics, self.operators)]
        if len(set(ports)) < len(ports):
            raise ValueError("grpc, metrics and operators need ports of their own")
        return self


class EmbeddedSettings(Section):
    """A farm of processes on the operator's machine, for `farm up`."""

    nodes: Annotated[int, Field(ge=1, le=64)] = 3


class FarmSettings(Section):
    """What holds for the whole farm."""

    name: Name
    gateway: GatewaySettings = GatewaySettings()
    firewall: Annotated[
        bool,
        Field(
            description="keep all but the farm's hosts from Ray's ports, with nftables; false where"
            " another firewall does"
        ),
    ] = True
    power: Power = Power()
    embedded: EmbeddedSettings | None = None


class Inventory(Section):
    """A farm and its hosts, in the file's order, every range expanded and every default applied.

    What `load_inventory` returns has exactly one head, names and addresses that differ, and
    either hosts or `farm.embedded`.
    """

    farm: FarmSettings
    hosts: tuple[Host, ...]

    @property
    def head(self) -> Host:
        """The host of the gateway and of Ray's head.

        Raises:
            ConfigurationError: it is an embedded farm, which has no hosts.
        """
        for host in self.hosts:
            if host.role.leads:
                return host
        raise ConfigurationError(
            f"the farm {self.farm.name} is an embedded one and has no hosts: run it with `farm up`"
        )

    @property
    def nodes(self) -> tuple[Host, ...]:
        """The hosts that run models."""
        return tuple(host for host in self.hosts if host.role.serves)

    def limited_to(self, patterns: Sequence[str]) -> tuple[Host, ...]:
        """Return the hosts that any of the patterns means, in the file's order; all without one.

        A pattern is a name, a range like `pi-[01:03]`, a glob like `pi-*`, or a label like
        `rack=a`; `role=node` means what serves, `role=head` what leads.

        Raises:
            ConfigurationError: a pattern means no host.
        """
        return selected(self.hosts, patterns) if patterns else self.hosts
