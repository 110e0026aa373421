"""Reading config.pbtxt, Triton's description of a model, into what the farm applies."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from google.protobuf import text_format

from farm.core.errors import ConfigurationError, UnsupportedError
from farm.core.tensors import Datatype, TensorSpec
from farm.pb.model_config_pb2 import DataType, ModelConfig, ModelInput, ModelOutput
from farm.pb.pool import POOL
from farm.repository.artifacts import MODEL_FILENAME
from farm.repository.config_fields import ignored_fields, unsupported_fields
from farm.repository.names import shown
from farm.repository.versions import (
    LATEST_VERSION,
    MAX_VERSION,
    AllVersions,
    LatestVersions,
    SpecificVersions,
    VersionPolicy,
)

CONFIG_FILENAME: Final = "config.pbtxt"
MAX_CONFIG_BYTES: Final = 1 << 20
PLATFORM: Final = "onnxruntime_onnx"
BACKEND: Final = "onnxruntime"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSettings:
    """What a model's config asks for; the defaults are those of a model without one.

    `max_batch_size` is None only without a config. `inputs` and `outputs` are what the
    config declares, to be compared with the model once a node has opened it: whole shapes,
    with a -1 in front where the model batches. `parameters` holds every parameter of the
    config in the order of their names; none is applied yet, and each gives a warning.
    """

    max_batch_size: int | None = None
    version_policy: VersionPolicy = LATEST_VERSION
    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()
    parameters: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = ()


def parse_model_config(text: bytes, *, model: str) -> ModelSettings:
    """Read the config of the model in the folder `model`.

    Raises:
        ConfigurationError: the text is no config, or contradicts itself or the folder;
            the message names the model's file, and line and column of a syntax error.
        UnsupportedError: the config asks for something that the farm does not do and
            that would change answers; the message names the fields.
    """
    where = f"{shown(model)}/{CONFIG_FILENAME}"
    config = _parse(text, where)
    if config.name not in ("", model):
        raise ConfigurationError(
            f"{where}: name is '{shown(config.name)}', but the model's folder is"
            f" '{shown(model)}'; make them equal or leave name out"
        )
    if config.max_batch_size < 0:
        raise ConfigurationError(
            f"{where}: max_batch_size is {config.max_batch_size}; set the largest number of rows"
            " in a batch, or 0 for a model without a batch axis"
        )
    _refuse_unsupported(config, where)
    return ModelSettings(
        max_batch_size=config.max_batch_size,
        version_policy=_version_policy(config, where),
        inputs=_tensors("input", config.input, config.max_batch_size, where),
        outputs=_tensors("output", config.output, config.max_batch_size, where),
        parameters=tuple(
            (name, config.parameters[name].string_value) for name in sorted(config.parameters)
        ),
        warnings=_warnings(config, where),
    )


def _parse(text: bytes, where: str) -> ModelConfig:
    if len(text) > MAX_CONFIG_BYTES:
        raise ConfigurationError(
            f"{where} is larger than {MAX_CONFIG_BYTES} bytes; a config describes a model, so"
            " keep data out of it"
        )
    try:
        # Triton skips a byte order mark too.
        decoded = text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        column = error.start - error.object.rfind(b"\n", 0, error.start)
        raise ConfigurationError(
            f"{where}, line {line}, column {column}: the text is not UTF-8; save the file as UTF-8"
        ) from error
    config = ModelConfig()
    try:
        text_format.Parse(decoded, config, descriptor_pool=POOL)
    except text_format.ParseError as error:
        raise ConfigurationError(_syntax_message(error, where)) from error
    return config


def _syntax_message(error: text_format.ParseError, where: str) -> str:
    """Say where and what a syntax error is; protobuf puts the position in front itself."""
    line, column = error.GetLine(), error.GetColumn()
    what = str(error)
    if line is None or column is None:
        return f"{where}: {shown(what)}; correct the file"
    what = what.removeprefix(f"{line}:{column} : ").rstrip(".")
    return f"{where}, line {line}, column {column}: {shown(what)}; correct it there"


def _refuse_unsupported(config: ModelConfig, where: str) -> None:
    for field, value, only in (
        ("platform", config.platform, PLATFORM),
        ("backend", config.backend, BACKEND),
        ("default_model_filename", config.default_model_filename, MODEL_FILENAME),
    ):
        if value not in ("", only):
            raise UnsupportedError(
                f"{where}: {field} is '{shown(value)}', and this version of the farm supports"
                f" only '{only}'; export the model to ONNX as {MODEL_FILENAME} and leave"
                f" {field} out"
            )
    if refused := unsupported_fields(config):
        raise UnsupportedError(
            f"{where}: this version of the farm does not support {shown(', '.join(refused))};"
            " remove it if the model's answers do not depend on it, or serve the model elsewhere"
        )


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


def _tensors(
    field: str,
    declared: Iterable[ModelInput | ModelOutput],
    max_batch_size: int,
    where: str,
) -> tuple[TensorSpec, ...]:
    batch_axis = (-1,) if max_batch_size > 0 else ()
    specs: list[TensorSpec] = []
    for index, tensor in enumerate(declared):
        datatype = _datatype(tensor.data_type)
        if not tensor.name or datatype is None or not tensor.dims:
            raise ConfigurationError(
                f"{where}: {field}[{index}] must have name, data_type and dims; complete it, or"
                f" leave {field} out to take it from the model"
            )
        if any(size < 1 and size != -1 for size in tensor.dims):
            raise ConfigurationError(
                f"{where}: {field}[{index}].dims is {shown(str(list(tensor.dims)))}; a dimension"
                " is 1 or more, or -1 for any size"
            )
        specs.append(
            TensorSpec(name=tensor.name, datatype=datatype, shape=(*batch_axis, *tensor.dims))
        )
    return tuple(specs)


def _datatype(number: int) -> Datatype | None:
    """Return the protocol's type for a number of the config's enum, if there is one."""
    if number not in DataType.values() or number == DataType.TYPE_INVALID:
        return None
    spelling = DataType.Name(number).removeprefix("TYPE_")
    return Datatype.BYTES if spelling == "STRING" else Datatype(spelling)


def _warnings(config: ModelConfig, where: str) -> tuple[str, ...]:
    fields = [
        f"{where}: {field} has no effect: {instead}" for field, instead in ignored_fields(config)
    ]
    parameters = [
        f"{where}: parameters['{shown(name)}'] has no effect on this farm"
        for name in sorted(config.parameters)
    ]
    return (*fields, *parameters)
