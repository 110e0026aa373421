"""Does a model have the inputs and outputs that its config declares?"""

from collections.abc import Sequence

from farm.core.tensors import TensorSpec


def contradiction(kind: str, declared: Sequence[TensorSpec], actual: Sequence[TensorSpec]) -> str:
    """Say how declared tensors (`kind` is "input" or "output") differ, or nothing.

    A config may leave outputs out, but no input; -1 on either side agrees with any size.
    """
    if not declared:
        return ""
    by_name = {spec.name: spec for spec in actual}
    for spec in declared:
        own = by_name.get(spec.name)
        if own is None:
            names = ", ".join(f"'{name}'" for name in by_name)
            return f"its config declares {kind} '{spec.name}', but the model has {names}"
        if spec.datatype is not own.datatype or not _agree(spec.shape, own.shape):
            return (
                f"its config declares {kind} '{spec.name}' as {spec.datatype} {list(spec.shape)},"
                f" but in the model it is {own.datatype} {list(own.shape)}"
            )
    missing = sorted(set(by_name) - {spec.name for spec in declared})
    if kind == "input" and missing:
        return f"its config does not declare input '{missing[0]}', which the model has"
    return ""


def _agree(declared: Sequence[int], actual: Sequence[int]) -> bool:
    return len(declared) == len(actual) and all(
        a == b or -1 in (a, b) for a, b in zip(declared, actual, strict=True)
    )
