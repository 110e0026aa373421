"""What the farm serves of a model: its config, completed and checked by what nodes found."""

from collections.abc import Sequence
from dataclasses import replace

from farm.core.errors import ModelUnavailableError
from farm.core.models import ModelReport, ModelSpec
from farm.core.tensors import TensorSpec
from farm.engine.declarations import contradiction
from farm.repository.listing import AvailableVersion


def build_spec(available: AvailableVersion, report: ModelReport) -> ModelSpec:
    """Return the spec of a version that a node has qualified.

    Raises:
        ModelUnavailableError: the model contradicts its config.
    """
    settings, artifact = available.settings, available.artifact
    problem = (
        contradiction("input", settings.inputs, report.inputs)
        or contradiction("output", settings.outputs, report.outputs)
        or _without_rows(settings.inputs, report)
    )
    if problem:
        raise ModelUnavailableError(f"model '{artifact.key.name}': {problem}")
    required = tuple(spec for spec in report.inputs if not spec.optional)
    return ModelSpec(
        key=artifact.key,
        digest=artifact.digest,
        inputs=_completed(settings.inputs, report.inputs) or required,
        outputs=_completed(settings.outputs, report.outputs) or report.outputs,
        max_batch_size=report.max_batch_size,
        joins=report.joins,
        batching_reason=report.batching_reason,
        batching=settings.batching,
        max_instances=settings.max_instances,
        objective=settings.objective,
    )


def narrowed(spec: ModelSpec, report: ModelReport) -> ModelSpec:
    """Return a spec that a further node's report allows too."""
    if spec.max_batch_size <= report.max_batch_size and spec.joins <= report.joins:
        return spec
    return replace(
        spec,
        max_batch_size=min(spec.max_batch_size, report.max_batch_size),
        joins=spec.joins and report.joins,
        batching_reason=report.batching_reason,
    )


def _without_rows(declared: Sequence[TensorSpec], report: ModelReport) -> str:
    """Name a declared input that has no row for each row of a batch, if there is one."""
    used = {spec.name for spec in declared}
    for spec in report.inputs:
        if report.max_batch_size and spec.name in used and spec.shape[:1] != (-1,):
            return (
                f"input '{spec.name}' is {list(spec.shape)} and has no open first dimension, so"
                " requests that bring it cannot be batched; set max_batch_size: 0 or leave it out"
            )
    return ""


def _completed(
    declared: Sequence[TensorSpec], actual: Sequence[TensorSpec]
) -> tuple[TensorSpec, ...]:
    """Return declared tensors with the sizes that only the model tells."""
    by_name = {spec.name: spec for spec in actual}
    return tuple(
        spec
        if spec.model_shape is not None
        else replace(
            spec,
            shape=tuple(
                own if size == -1 else size
                for size, own in zip(spec.shape, by_name[spec.name].shape, strict=True)
            ),
        )
        for spec in declared
    )
