"""What a model's config asks for, read into what the farm applies."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from farm.core.errors import ConfigurationError
from farm.core.models import DynamicBatching, Objective, Warmup
from farm.core.tensors import TensorSpec
from farm.pb.model_config_pb2 import ModelConfig
from farm.repository.batching_config import dynamic_batching, max_instances
from farm.repository.config_fields import ignored_fields, refuse_unsupported
from farm.repository.config_text import DeclaredConfig
from farm.repository.digests import MODEL_FILENAME
from farm.repository.farm_parameters import PREFIX, farm_parameters
from farm.repository.labels import read_labels
from farm.repository.names import path_problem, shown
from farm.repository.tensor_config import declared_tensors
from farm.repository.versions import (
    LATEST_VERSION,
    MAX_VERSION,
    AllVersions,
    LatestVersions,
    SpecificVersions,
    VersionPolicy,
)
from farm.repository.warmup_config import WarmupReader


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSettings:
    """What a model's config asks for; the defaults are those of a model without one.

    `max_batch_size` is None where a node shall find it out; `joins` says that the config asks
    for dynamic batching. `inputs` and `outputs` are what
    the config declares, to be compared with the model once a node has opened it. `labels`
    are the names of classes by output, `preprocessing` is by input, as JSON with every key
    written out. `parameters` holds every parameter of the config, those that begin with
    `farm.` too. `config` is the declared config as a serialised `inference.ModelConfig`,
    b"" for a model without one.
    """

    max_batch_size: int | None = None
    version_policy: VersionPolicy = LATEST_VERSION
    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()
    joins: bool = False
    batching: DynamicBatching = field(default_factory=DynamicBatching)
    max_instances: int = 0
    warmups: tuple[Warmup, ...] = ()
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    preprocessing: Mapping[str, str] = field(default_factory=dict)
    abi: str = ""
    abi_by_version: Mapping[int, str] = field(default_factory=dict)
    objective: Objective = Objective.THROUGHPUT
    filename: str = MODEL_FILENAME
    config: bytes = b""
    warnings: tuple[str, ...] = ()

    def declared_abi(self, version: int) -> str:
        """Return the ABI that the config declares for a version, or "" if it does not."""
        return self.abi_by_version.get(version, self.abi)


def read_settings(declared: DeclaredConfig, root: Path, model: str) -> ModelSettings:
    """Read a config of the model in the folder `model` of `root`, with the files it names.

    Raises:
        ConfigurationError: it contradicts itself, the folder, or a file that it names.
        ModelUnavailableError: a file that it names must not be read.
        UnsupportedError: it asks for something that the farm does not do and that would
            change answers; the message names the fields.
    """
    config, where = declared.message, declared.where
    if config.name not in ("", model):
        raise ConfigurationError(
            f"{where}: name is '{shown(config.name)}', but the model's folder is"
            f" '{shown(model)}'; make them equal or leave name out"
        )
    refuse_unsupported(config, where)
    max_batch_size = _max_batch_size(declared)
    batched = bool(max_batch_size)
    inputs = declared_tensors("input", config.input, batched=batched, where=where)
    outputs = declared_tensors("output", config.output, batched=batched, where=where)
    parameters = {name: config.parameters[name].string_value for name in sorted(config.parameters)}
    farm = farm_parameters(parameters, inputs=[spec.name for spec in inputs], where=where)
    warmups, skipped = WarmupReader(
        root, model, inputs=inputs, max_batch_size=max_batch_size, where=where
    ).read(config)
    return ModelSettings(
        max_batch_size=max_batch_size,
        version_policy=_version_policy(config, where),
        inputs=inputs,
        outputs=outputs,
        joins=config.HasField("dynamic_batching"),
        batching=dynamic_batching(config, max_batch_size=max_batch_size, where=where),
        max_instances=max_instances(config, where),
        warmups=warmups,
        labels=read_labels(root, model, config, where),
        parameters=parameters,
        preprocessing=farm.preprocessing,
        abi=farm.abi,
        abi_by_version=farm.abi_by_version,
        objective=farm.objective,
        filename=_filename(config, where),
        config=config.SerializeToString(deterministic=True),
        warnings=(*_warnings(config, where), *skipped),
    )


def _max_batch_size(declared: DeclaredConfig) -> int | None:
    """Return the batch size of a config; one that says nothing of tensors leaves it open."""
    config = declared.message
    if config.max_batch_size < 0:
        raise ConfigurationError(
            f"{declared.where}: max_batch_size is {config.max_batch_size}; set the largest number"
            " of rows in a batch, or 0 for a model without a batch axis"
        )
    if not declared.states_max_batch_size and not config.input and not config.output:
        return None
    return config.max_batch_size


def _filename(config: ModelConfig, where: str) -> str:
    filename = config.default_model_filename
    if filename and (problem := path_problem(filename)):
        raise ConfigurationError(
            f"{where}: default_model_filename is '{shown(filename)}', which cannot be a file's"
            f" name: {problem} (correct it)"
        )
    return filename or MODEL_FILENAME


def _version_policy(config: ModelConfig, where: str) -> VersionPolicy:
    """Return the policy; a message without a choice means all versions, as in Triton."""
    if not config.HasField("version_policy"):
        return LATEST_VERSION
    policy = config.version_policy
    if policy.HasField("latest"):
        if policy.latest.num_versions == 0:
            raise ConfigurationError(
                f"{where}: version_policy.latest serves 0 versions; set num_versions to 1 or more"
            )
        return LatestVersions(count=policy.latest.num_versions)
    if policy.HasField("specific"):
        versions = tuple(sorted(set(policy.specific.versions)))
        if not versions or versions[0] < 1:
            raise ConfigurationError(
                f"{where}: version_policy.specific names {versions[0] if versions else 'none'};"
                f" name one or more versions, each between 1 and {MAX_VERSION}"
            )
        return SpecificVersions(versions=versions)
    return AllVersions()


def _warnings(config: ModelConfig, where: str) -> tuple[str, ...]:
    fields = [
        f"{where}: {field} has no effect: {instead}" for field, instead in ignored_fields(config)
    ]
    parameters = [
        f"{where}: parameters['{shown(name)}'] has no effect on this farm"
        for name in sorted(config.parameters)
        if not name.startswith(PREFIX)
    ]
    return (*fields, *parameters)
