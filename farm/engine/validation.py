"""Is this request one that the model can take? Says exactly what is wrong if not."""

from collections.abc import Sequence

from farm.core.errors import InvalidRequestError
from farm.core.models import ModelSpec
from farm.core.tensors import Tensor, TensorSpec, check_size, fits
from farm.engine.reshaping import to_model


def ordered_inputs(spec: ModelSpec, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Return the inputs in the model's order and shape, each one checked.

    Optional inputs may be missing.

    Raises:
        InvalidRequestError: a name, datatype, shape or byte count is wrong, or inputs are
            missing, unknown or repeated.
    """
    by_name = {tensor.name: tensor for tensor in inputs}
    if len(by_name) != len(inputs):
        raise InvalidRequestError(_about(spec, "an input is given twice"))
    expected = [wanted.name for wanted in spec.inputs]
    unknown = sorted(set(by_name) - set(expected))
    if unknown:
        raise InvalidRequestError(
            _about(spec, f"it has no input {_names(unknown)}; its inputs are {_names(expected)}")
        )
    missing = [s.name for s in spec.inputs if s.name not in by_name and not s.optional]
    if missing:
        raise InvalidRequestError(_about(spec, f"input {_names(missing)} is missing"))
    given = [wanted for wanted in spec.inputs if wanted.name in by_name]
    for wanted in given:
        _check(spec, wanted, by_name[wanted.name])
    return tuple(to_model(by_name[wanted.name], wanted) for wanted in given)


def count_rows(spec: ModelSpec, inputs: Sequence[Tensor]) -> int:
    """Return the rows that all inputs agree on; 1 for a model without a batch axis.

    Raises:
        InvalidRequestError: they do not agree, or are more than the model takes.
    """
    if not spec.batched:
        return 1
    if not inputs:
        raise InvalidRequestError(_about(spec, "the request has no inputs; send at least one"))
    rows = {tensor.shape[0] for tensor in inputs}
    if len(rows) != 1:
        shapes = ", ".join(f"'{t.name}' {list(t.shape)}" for t in inputs)
        raise InvalidRequestError(
            _about(spec, f"its inputs must have the same first dimension, not {shapes}")
        )
    count = rows.pop()
    if count > spec.max_batch_size:
        raise InvalidRequestError(
            _about(
                spec,
                f"it takes at most {spec.max_batch_size} rows a request, not {count};"
                " send them in smaller parts",
            )
        )
    return count


def chosen_outputs(
    spec: ModelSpec, outputs: Sequence[Tensor], wanted: Sequence[str]
) -> tuple[Tensor, ...]:
    """Return the outputs asked for, in the order asked; all that are served where none is."""
    by_name = {tensor.name: tensor for tensor in outputs}
    return tuple(by_name[name] for name in wanted or [output.name for output in spec.outputs])


def check_wanted(spec: ModelSpec, wanted: Sequence[str]) -> None:
    """Check the names of requested outputs.

    Raises:
        InvalidRequestError: one is unknown or asked for twice.
    """
    known = [output.name for output in spec.outputs]
    unknown = sorted(set(wanted) - set(known))
    if unknown:
        raise InvalidRequestError(
            _about(spec, f"it has no output {_names(unknown)}; its outputs are {_names(known)}")
        )
    if len(set(wanted)) != len(wanted):
        raise InvalidRequestError(_about(spec, "an output is asked for twice"))


def _check(spec: ModelSpec, wanted: TensorSpec, given: Tensor) -> None:
    if given.datatype is not wanted.datatype:
        raise InvalidRequestError(
            _about(spec, f"input '{given.name}' must be {wanted.datatype}, not {given.datatype}")
        )
    if not fits(given.shape, wanted.shape):
        raise InvalidRequestError(
            _about(
                spec,
                f"input '{given.name}' must have shape {list(wanted.shape)} (-1 is any size),"
                f" not {list(given.shape)}",
            )
        )
    check_size(given)


def _about(spec: ModelSpec, problem: str) -> str:
    return f"model '{spec.key.name}' version {spec.key.version}: {problem}"


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(f"'{name[:64]}'" for name in names[:8])
    return f"{shown} and {len(names) - 8} more" if len(names) > 8 else shown
