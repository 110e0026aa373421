"""What the protocol says of a model: its metadata, its config, its statistics."""

from collections.abc import Iterable
from typing import Any, cast

from farm.core.models import ModelKey, ModelSpec
from farm.core.tensors import Datatype, TensorSpec
from farm.engine.catalog import Version
from farm.engine.statistics import ComputeStatistics, Duration, VersionStatistics
from farm.pb.model_config_pb2 import DataType, ModelConfig, ModelInput, ModelOutput
from farm.pb.open_inference_pb2 import (
    InferBatchStatistics,
    InferStatistics,
    ModelMetadataResponse,
    ModelStatistics,
    StatisticDuration,
)

PLATFORM = "onnxruntime_onnx"
BACKEND = "onnxruntime"


def to_metadata(spec: ModelSpec, versions: tuple[int, ...]) -> ModelMetadataResponse:
    """Return a model's metadata; shapes include the batch dimension where there is one."""
    response = ModelMetadataResponse(
        name=spec.key.name, versions=[str(version) for version in versions], platform=PLATFORM
    )
    for tensor in spec.inputs:
        response.inputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
    for tensor in spec.outputs:
        response.outputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
    return response


def to_config(version: Version, spec: ModelSpec) -> ModelConfig:
    """Return a version's config as its author wrote it, completed with what the farm found."""
    config = ModelConfig()
    if version.available is not None:
        config.MergeFromString(version.available.settings.config)
        config.default_model_filename = version.available.artifact.main
    config.name = spec.key.name
    config.platform = PLATFORM
    config.backend = BACKEND
    config.max_batch_size = spec.max_batch_size
    if not config.HasField("version_policy"):
        config.version_policy.latest.num_versions = 1
    if not config.input:
        for tensor in spec.inputs:
            _declare(config.input.add(), spec, tensor)
    if not config.output:
        for tensor in spec.outputs:
            _declare(config.output.add(), spec, tensor)
    if spec.shares_batches and spec.max_batch_size > 1:
        # Independent rows are joined whether or not the config asks for it.
        config.dynamic_batching.SetInParent()
    return config


def to_statistics(counts: Iterable[tuple[ModelKey, VersionStatistics]]) -> list[ModelStatistics]:
    """Return counts as the statistics extension has them: nanoseconds throughout."""
    return [
        ModelStatistics(
            name=key.name,
            version=str(key.version),
            last_inference=done.last_inference_unix_ms,
            inference_count=done.inferences,
            execution_count=done.executions,
            inference_stats=InferStatistics(
                success=_duration(done.success),
                fail=_duration(done.fail),
                queue=_duration(done.queue),
                compute_input=_duration(done.compute.input),
                compute_infer=_duration(done.compute.infer),
                compute_output=_duration(done.compute.output),
                # There is no response cache yet, so nothing hits or misses it.
                cache_hit=StatisticDuration(),
                cache_miss=StatisticDuration(),
            ),
            batch_stats=[_batch(rows, done.batches[rows]) for rows in sorted(done.batches)],
        )
        for key, done in counts
    ]


def _batch(rows: int, compute: ComputeStatistics) -> InferBatchStatistics:
    return InferBatchStatistics(
        batch_size=rows,
        compute_input=_duration(compute.input),
        compute_infer=_duration(compute.infer),
        compute_output=_duration(compute.output),
    )


def _duration(duration: Duration) -> StatisticDuration:
    return StatisticDuration(count=duration.count, ns=duration.ns)


def _data_type(datatype: Datatype) -> DataType:
    spelling = "STRING" if datatype is Datatype.BYTES else datatype.value
    number: Any = DataType.Value(f"TYPE_{spelling}")
    return cast(DataType, number)


def _declare(message: ModelInput | ModelOutput, spec: ModelSpec, tensor: TensorSpec) -> None:
    """Describe a tensor as a config has it: its shape is without the batch axis."""
    message.name = tensor.name
    message.data_type = _data_type(tensor.datatype)
    dims = tensor.shape[1:] if spec.batched else tensor.shape
    message.dims.extend(dims or (1,))
    if not dims:
        # A config has no other way to say that there is a single number.
        message.reshape.SetInParent()
