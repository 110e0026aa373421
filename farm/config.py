"""The farm's configuration: one `farm.yaml`, overridden by the environment, then by flags.

Read and checked once, at the edge. The environment's `FARM_GRPC` sets `grpc`,
`FARM_NODE__SLOTS` sets `slots` of `node`. Variables that name no setting are somebody
else's, such as `FARM_CONNECT`, which is the command line's.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self, get_args

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from farm.core.addresses import GRPC_ADDRESS, METRICS_ADDRESS
from farm.core.errors import ConfigurationError

_PREFIX = "FARM_"
# Threads of one node: more than any board has cores, and few enough to be started.
_MAX_THREADS = 256

_ENVIRONMENT, _COMMAND_LINE = "the environment", "the command line"

Address = Annotated[str, Field(pattern=r"^(\[[0-9a-fA-F:]+\]|[^:\s]+):\d{1,5}$")]
Positive = Annotated[int, Field(gt=0)]
Seconds = Annotated[float, Field(gt=0)]


def _expanded(path: Path) -> Path:
    """Return a path with `~` for what it stands for, as no shell has read the file."""
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise ValueError(f"{error}; write the whole path") from error


Folder = Annotated[Path, AfterValidator(_expanded)]
File = Annotated[Path, AfterValidator(_expanded)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Splits(StrEnum):
    """How a node's cores are split into batches that run at once and threads for each."""

    MEASURED = "measured"
    FIXED = "fixed"


class Cores(StrEnum):
    """Whether inference has cores of its own."""

    OWN = "own"
    SHARED = "shared"


class NodeConfig(_Section):
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


class TlsConfig(_Section):
    """The gateway's certificate, and whose certificates it takes: PEM files, read again when
    they change.
    """

    certificate: File
    key: File
    ca: Annotated[File | None, Field(description="issues the clients' certificates")] = None
    clients: Annotated[
        ClientCertificates,
        Field(description="required: who has no certificate of the CA gets no answer"),
    ] = ClientCertificates.REQUIRED

    @model_validator(mode="after")
    def _decidable(self) -> Self:
        if self.clients is ClientCertificates.REQUIRED and self.ca is None:
            raise ValueError(
                "name the ca that issues the clients' certificates, or set clients to none"
            )
        return self


class OperatorsConfig(_Section):
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


class HedgingConfig(_Section):
    """A second run of a batch that takes too long, on another node that is idle."""

    enabled: bool = False
    after_factor: Annotated[
        float, Field(ge=1, le=100, description="times the predicted time of the batch")
    ] = 2.0


class HealthConfig(_Section):
    """When a node gets no more batches, and when it gets them again."""

    suspect_after_s: Annotated[
        float, Field(ge=1.5, description="without a heartbeat, of which one comes every second")
    ] = 2.5
    hung_after_s: Annotated[
        Seconds, Field(description="for a batch that is overdue on a node that is heard")
    ] = 30.0
    eject_after_failures: Annotated[Positive, Field(description="failed batches in a row")] = 3
    eject_base_s: Annotated[Seconds, Field(description="the first time out; each doubles")] = 1.0
    eject_max_s: Seconds = 60.0
    probe_timeout_s: Annotated[
        Seconds, Field(description="for the inference by which a node returns")
    ] = 10.0


class SchedulingConfig(_Section):
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


class RepositoryConfig(_Section):
    """How the model repository is read and followed."""

    control: Annotated[
        ControlMode,
        Field(description="explicit: models are loaded by hand; poll: changes are followed"),
    ] = ControlMode.EXPLICIT
    poll_interval_s: Annotated[float, Field(ge=0.5)] = 15.0
    max_models: Positive = 10_000
    max_model_bytes: Annotated[Positive, Field(description="all files of a version")] = 2 << 30
    max_operators: Annotated[Positive, Field(description="nodes of a model's graphs")] = 100_000


class FarmConfig(_Section):
    """Everything `farm up` needs to know."""

    name: str = "farm"
    grpc: Address = GRPC_ADDRESS
    metrics: Address = METRICS_ADDRESS
    tls: Annotated[
        TlsConfig | None, Field(description="of gRPC; without it connections are not encrypted")
    ] = None
    operators: Annotated[
        OperatorsConfig | None,
        Field(
            description="one more gRPC address, for operators, where tls asks for no certificates"
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
    max_message_bytes: Annotated[Positive, Field(description="largest gRPC message taken")] = (
        64 << 20
    )
    default_timeout_s: Annotated[
        Seconds, Field(description="for requests that bring no deadline of their own")
    ] = 60.0
    start_timeout_s: Seconds = 180.0
    drain_timeout_s: Seconds = 30.0
    node: NodeConfig = NodeConfig()
    repository: RepositoryConfig = RepositoryConfig()
    scheduling: SchedulingConfig = SchedulingConfig()


def load_config(
    file: Path | None, environment: Mapping[str, str], flags: Mapping[str, Any]
) -> FarmConfig:
    """Return the configuration; `flags` that are None were not given.

    Raises:
        ConfigurationError: a value is wrong; the message names its file, variable or flag.
    """
    layers: list[tuple[str, dict[str, Any]]] = []
    if file is not None:
        layers.append((str(file), _read(file)))
    layers.append((_ENVIRONMENT, _from_environment(environment)))
    layers.append((_COMMAND_LINE, {k: v for k, v in flags.items() if v is not None}))
    merged: dict[str, Any] = {}
    for _, values in layers:
        merged = _merge(merged, values)
    try:
        return FarmConfig.model_validate(merged)
    except ValidationError as error:
        raise ConfigurationError(_explain(error, layers)) from error


def _read(file: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file} is not YAML: {error}") from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigurationError(f"{file} must be a mapping of settings, like `grpc: HOST:PORT`")
    return values


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for variable, value in environment.items():
        # An empty variable is one that somebody unset; as a path it would be this folder.
        if not variable.startswith(_PREFIX) or not value:
            continue
        *sections, key = variable.removeprefix(_PREFIX).lower().split("__")
        top = sections[0] if sections else key
        if top not in FarmConfig.model_fields:
            continue
        place = values
        for section in sections:
            inner = place.setdefault(section, {})
            if not isinstance(inner, dict):
                raise ConfigurationError(
                    f"{_variable([section])} and {variable} are both set; `{section}` is a section,"
                    f" so set only {_variable([section])}__… variables"
                )
            place = inner
        if isinstance(place.get(key), dict):
            raise ConfigurationError(
                f"{variable} and {variable}__… are both set; `{key}` is a section, so set only the"
                " latter"
            )
        place[key] = value
    return values


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        known = merged.get(key)
        if isinstance(known, Mapping) and isinstance(value, Mapping):
            merged[key] = _merge(known, value)
        else:
            merged[key] = value
    return merged


def _explain(error: ValidationError, layers: list[tuple[str, dict[str, Any]]]) -> str:
    lines = []
    for problem in error.errors():
        path = [str(part) for part in problem["loc"]]
        source = next((name for name, values in reversed(layers) if _holds(values, path)), "")
        place = _place(source, path)
        if problem["type"] == "extra_forbidden":
            known = ", ".join(_settings(problem["loc"][:-1]))
            lines.append(f"{place}: there is no such setting; known are {known}")
        else:
            lines.append(f"{place}: {problem['msg']}, not {problem['input']!r:.60}")
    return "; ".join(lines)


def _settings(path: Sequence[str | int]) -> list[str]:
    """Return the keys of a section, given by its path."""
    section: type[BaseModel] = FarmConfig
    for part in path:
        declared = section.model_fields[str(part)].annotation
        # A section that may be left out is declared as one of two types.
        for one in (declared, *get_args(declared)):
            if isinstance(one, type) and issubclass(one, BaseModel):
                section = one
    return list(section.model_fields)


def _holds(values: Any, path: list[str]) -> bool:
    for part in path:
        if not isinstance(values, Mapping):
            return False
        by_word = {str(key): value for key, value in values.items()}
        if part not in by_word:
            return False
        values = by_word[part]
    return True


def _variable(path: Sequence[str]) -> str:
    return _PREFIX + "__".join(path).upper()


def _place(source: str, path: Sequence[str]) -> str:
    """Return how a layer spells the path of a setting."""
    if source == _ENVIRONMENT:
        return _variable(path)
    if source == _COMMAND_LINE:
        return "--" + "-".join(path).replace("_", "-")
    return f"{source}: {'.'.join(path)}"
