"""The farm's configuration: one `farm.yaml`, overridden by the environment, then by flags.

Read and checked once, at the edge. The environment's `FARM_GRPC` sets `grpc`,
`FARM_NODE__SLOTS` sets `slots` of `node`. Variables that name no setting are somebody
else's, such as `FARM_CONNECT`, which is the command line's.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, model_validator

from farm.core.addresses import GRPC_ADDRESS, METRICS_ADDRESS, on_loopback
from farm.core.errors import ConfigurationError
from farm.sections.hardware import Hardware
from farm.sections.layers import Layers
from farm.sections.ledger import Ledger
from farm.sections.power import Power
from farm.sections.section import Section
from farm.sections.tracing import Tracing
from farm.sections.words import HomePath

# Threads of one node: more than any board has cores, and few enough to be started.
_MAX_THREADS = 256

_ADDRESS = re.compile(r"(\[[0-9a-fA-F:]+\]|[^:\s]+):\d{1,5}")


def _address(value: str) -> str:
    if not _ADDRESS.fullmatch(value):
        raise ValueError(f"must be HOST:PORT, like {GRPC_ADDRESS}")
    return value


Address = Annotated[str, AfterValidator(_address)]
Positive = Annotated[int, Field(gt=0)]
Seconds = Annotated[float, Field(gt=0)]

Folder = HomePath
File = HomePath


class Splits(StrEnum):
    """How a node's cores are split into batches that run at once and threads for each."""

    MEASURED = "measured"
    FIXED = "fixed"


class Cores(StrEnum):
    """Whether inference has cores of its own."""

    OWN = "own"
    SHARED = "shared"


class NodeConfig(Hardware):
    """Each node of an embedded farm."""

    slots: Annotated[int, Field(ge=1, le=64, description="batches that run at once")] = 1
    threads_per_slot: Annotated[int, Field(ge=1, le=64)] = 1
    splits: Annotated[
        Splits,
        Field(
            description="measured: each model gets the split of slots x threads_per_slot that suits"
            " it; fixed: all get the one given"
        ),
    ] = Splits.MEASURED
    cores: Annotated[
        Cores,
        Field(
            description="own: where a machine has more cores than its nodes have threads, inference"
            " keeps to some of them; shared: it runs on any"
        ),
    ] = Cores.OWN
    max_store_bytes: Annotated[Positive, Field(description="cap of model files on disk")] = 4 << 30
    max_sessions: Annotated[Positive, Field(description="models open in memory")] = 64
    max_session_bytes: Positive = 512 << 20
    qualify_timeout_s: Seconds = 120.0

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.slots * self.threads_per_slot > _MAX_THREADS:
            raise ValueError(f"slots x threads_per_slot must be at most {_MAX_THREADS}")
        return self


class ClientCertificates(StrEnum):
    """Whether clients must show certificates."""

    NONE = "none"
    REQUIRED = "required"


class TlsConfig(Section):
    """The gateway's certificate, and whose certificates it takes: PEM files, read again when
    they change.
    """

    certificate: File
    key: File
    ca: Annotated[File | None, Field(description="issues the clients' certificates")] = None
    clients: Annotated[
        ClientCertificates,
        Field(
            description="required: who has no certificate of the CA gets no answer; none: who calls"
            " from another machine shows a token instead"
        ),
    ] = ClientCertificates.REQUIRED

    @model_validator(mode="after")
    def _decidable(self) -> Self:
        if self.clients is ClientCertificates.REQUIRED and self.ca is None:
            raise ValueError(
                "name the ca that issues the clients' certificates, or set clients to none"
            )
        return self


class OperatorsConfig(Section):
    """An address of the gateway's on which everybody shows a certificate: for operators, where
    clients of `grpc` have none.
    """

    grpc: Address
    certificate: File
    key: File
    ca: File


class Policy(StrEnum):
    """Which node gets a batch; see `farm.scheduling.placement`."""

    LEAST_EXPECTED_COMPLETION = "least_expected_completion"
    ENERGY_AWARE = "energy_aware"
    POWER_OF_TWO_CHOICES = "power_of_two_choices"
    ROUND_ROBIN = "round_robin"


class Fairness(StrEnum):
    """Between whom the farm is shared out where there is not enough of it."""

    CLIENT = "client"
    NONE = "none"


class HedgingConfig(Section):
    """A second run of a batch that takes too long, on another node that is idle."""

    enabled: bool = False
    after_factor: Annotated[
        float, Field(ge=1, le=100, description="times the predicted time of the batch")
    ] = 2.0


class HealthConfig(Section):
    """When a node gets no more batches, and when it gets them again."""

    suspect_after_s: Annotated[
        float, Field(ge=1.5, description="without a heartbeat, of which one comes every second")
    ] = 2.0
    hung_after_s: Annotated[
        Seconds, Field(description="for a batch that is overdue on a node that is heard")
    ] = 30.0
    eject_after_failures: Annotated[Positive, Field(description="failed batches in a row")] = 3
    eject_base_s: Annotated[Seconds, Field(description="the first time out; each doubles")] = 1.0
    eject_max_s: Seconds = 60.0
    probe_timeout_s: Annotated[
        Seconds, Field(description="for the inference by which a node returns")
    ] = 10.0


class SchedulingConfig(Section):
    """Bounds of the scheduler; see `farm.scheduling.limits` for what each one does."""

    policy: Policy = Policy.LEAST_EXPECTED_COMPLETION
    fairness: Annotated[
        Fairness,
        Field(description="client: no client's flood delays the others; none: all are one queue"),
    ] = Fairness.CLIENT
    max_queue_size: Positive = 2_000
    max_queued_bytes: Positive = 512 << 20
    max_batch_bytes: Positive = 32 << 20
    retry_ratio: Annotated[float, Field(ge=0, le=1)] = 0.2
    hedging: HedgingConfig = HedgingConfig()
    health: HealthConfig = HealthConfig()


class ControlMode(StrEnum):
    """Who decides what is loaded after the start."""

    EXPLICIT = "explicit"
    POLL = "poll"


class RepositoryConfig(Section):
    """How the model repository is read and followed."""

    control: Annotated[
        ControlMode,
        Field(description="explicit: models are loaded by hand; poll: changes are followed"),
    ] = ControlMode.EXPLICIT
    poll_interval_s: Annotated[float, Field(ge=0.5)] = 15.0
    max_models: Positive = 10_000
    max_model_bytes: Annotated[Positive, Field(description="all files of a version")] = 2 << 30
    max_operators: Annotated[Positive, Field(description="nodes of a model's graphs")] = 100_000


class PowerConfig(Power):
    """What power and boards cost, and how often that is reckoned."""

    window_s: Annotated[
        float, Field(ge=2, le=60, description="over which joules are shared out and settled")
    ] = 10.0


class TracingConfig(Tracing):
    """Traces of the gateway that runs here."""

    @model_validator(mode="after")
    def _to_be_had(self) -> Self:
        try:
            found = find_spec("opentelemetry.exporter.otlp.proto.http")
        except ModuleNotFoundError:
            found = None
        if found is None:
            raise ValueError(
                "needs OpenTelemetry, which is not installed here: pip install"
                " 'bramble-farm[tracing]'"
            )
        return self


class FarmConfig(Section):
    """Everything `farm up` needs to know."""

    name: str = "farm"
    grpc: Address = GRPC_ADDRESS
    metrics: Address = METRICS_ADDRESS
    metrics_triton: Annotated[
        bool, Field(description="export Triton's metrics of models beside the farm's own")
    ] = False
    tracing: Annotated[
        TracingConfig | None, Field(description="without it no request is traced")
    ] = None
    tls: Annotated[
        TlsConfig | None,
        Field(
            description="of gRPC, and of metrics beyond this machine; without it connections are"
            " not encrypted, and nobody gets in from other machines"
        ),
    ] = None
    tokens: Annotated[
        File | None,
        Field(description="hashes of the tokens that are accepted, as `farm tokens` keeps them"),
    ] = None
    operators: Annotated[
        OperatorsConfig | None,
        Field(
            description="one more gRPC address, for operators, where tls asks for no certificates"
        ),
    ] = None
    revocations: Annotated[
        File | None,
        Field(
            description="certificates that are not taken any more: a list (CRL, PEM) of the ca of"
            " tls or operators, read again when it changes"
        ),
    ] = None
    handover: Annotated[
        bool,
        Field(
            description="take both addresses over from a gateway of this user's that listens on"
            " them, and hand them over to the next; Linux only"
        ),
    ] = False
    nodes: Annotated[int, Field(ge=1, le=64, description="local nodes of an embedded farm")] = 3
    models: Annotated[
        Folder | None, Field(description="model repository; without one the shipped zoo")
    ] = None
    state_dir: Annotated[
        Folder | None,
        Field(description="where loads and unloads by hand are kept; by default one a repository"),
    ] = None
    curves_dir: Annotated[
        Folder | None,
        Field(description="where measured curves are kept; by default in the user's cache"),
    ] = None
    max_message_bytes: Annotated[
        Positive, Field(description="largest gRPC message taken, and largest answer of a model")
    ] = 64 << 20
    max_connections: Annotated[Positive, Field(description="of clients at once")] = 16_384
    default_timeout_s: Annotated[
        Seconds, Field(description="for requests that bring no deadline of their own")
    ] = 60.0
    start_timeout_s: Seconds = 180.0
    drain_timeout_s: Seconds = 30.0
    node: NodeConfig = NodeConfig()
    repository: RepositoryConfig = RepositoryConfig()
    scheduling: SchedulingConfig = SchedulingConfig()
    power: PowerConfig = PowerConfig()
    ledger: Ledger = Ledger()

    @property
    def certificates_ca(self) -> Path | None:
        """The CA whose certificates callers show, at whichever address; None if none asks."""
        if self.tls is not None and self.tls.clients is ClientCertificates.REQUIRED:
            return self.tls.ca
        return None if self.operators is None else self.operators.ca

    @model_validator(mode="after")
    def _of_one_authority(self) -> Self:
        asks = self.certificates_ca
        if self.revocations is not None and asks is None:
            raise ValueError("revocations is of no use where neither tls nor operators names a ca")
        if self.operators is not None and self.operators.ca != asks:
            raise ValueError("operators.ca must be tls.ca: a farm's certificates are of one CA")
        return self

    @model_validator(mode="after")
    def _priced(self) -> Self:
        if self.node.board_price is not None and self.power.currency is None:
            raise ValueError("power.currency is missing, and node has a board_price")
        return self

    @model_validator(mode="after")
    def _closed(self) -> Self:
        """Let nobody in from another machine who shows neither a certificate nor a token."""
        asks = self.tls is not None and (
            self.tls.clients is ClientCertificates.REQUIRED or self.tokens is not None
        )
        for key, usual in (("grpc", GRPC_ADDRESS), ("metrics", METRICS_ADDRESS)):
            address: str = getattr(self, key)
            if not asks and not on_loopback(address):
                raise ValueError(
                    f"{key}: other machines reach {address}, where nobody has to show who they"
                    " are: set tls with clients required, for certificates, or tls and tokens, for"
                    f" tokens of `farm tokens issue`; or listen on this machine alone, at {usual}"
                )
        return self


def load_config(
    file: Path | None, environment: Mapping[str, str], flags: Mapping[str, Any]
) -> FarmConfig:
    """Return the configuration; `flags` that are None were not given.

    Raises:
        ConfigurationError: a value is wrong; the message names its file, variable or flag.
    """
    layers = Layers(FarmConfig, file=file, environment=environment, flags=flags)
    config = layers.settings()
    try:
        config.power.receipt_baseline()
    except ConfigurationError as error:
        raise ConfigurationError(f"{layers.place(['power'])}: {error.message}") from error
    return config
