"""Does a model have the inputs and outputs that its config declares?"""

from collections.abc import Sequence

from farm.core.tensors import TensorSpec


def contradiction(kind: str, declared: Sequence[TensorSpec], actual: Sequence[TensorSpec]) -> str:
    """Say how declared tensors (`kind` is "input" or "output") differ, or nothing.

    A config may leave out outputs and inputs that the model has a default for, but no other
    input; -1 on either side agrees with any size.
    """
    if not declared:
        return ""
    by_name = {spec.name: spec for spec in actual}
    for spec in declared:
        own = by_name.get(spec.name)
        if own is None:
            names = ", ".join(f"'{name}'" for name in by_name)
            return f"its config declares {kind} '{spec.name}', but the model has {names}"
        shape = spec.model_shape if spec.model_shape is not None else spec.shape
        if spec.datatype is not own.datatype or not _agree(shape, own.shape):
            how = "" if spec.model_shape is None else "reshaped to "
            return (
                f"its config declares {kind} '{spec.name}' as {spec.datatype} {how}{list(shape)},"
                f" but in the model it is {own.datatype} {list(own.shape)}"
            )
        if spec.optional and not own.optional:
            return (
                f"its config declares {kind} '{spec.name}' optional, but the model has no default"
                " for it; remove `optional`, or export the model with an initializer for it"
            )
    required = {name for name, spec in by_name.items() if not spec.optional}
    missing = sorted(required - {spec.name for spec in declared})
    if kind == "input" and missing:
        return f"its config does not declare input '{missing[0]}', which the model has"
    return ""


def _agree(declared: Sequence[int], actual: Sequence[int]) -> bool:
    return len(declared) == len(actual) and all(
        a == b or -1 in (a, b) for a, b in zip(declared, actual, strict=True)
    )
