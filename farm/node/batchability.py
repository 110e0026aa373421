"""Whether axis 0 of a model is a batch of independent rows: found out, not assumed.

A dynamic first axis does not prove it: dynamically quantised int8 answers depend on
their batch-mates.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from farm.core.errors import FarmError, ModelUnavailableError
from farm.core.tensors import TensorSpec
from farm.node.bfloat16 import BF16, to_floats
from farm.node.rows import Rows, row
from farm.node.sessions import Session

# The bound for models that declare none. The measured curve decides what is used of it.
DEFAULT_MAX_BATCH_SIZE = 64

_ROWS = 4
# Relative to the output's own magnitude: rounding in another order stays below, a
# quantisation range shared across rows (5e-3 measured) does not.
_TOLERANCE = 1e-4
# Short floats round more coarsely than that: two units in the last place.
_SHORT_TOLERANCES = {np.dtype("<f2"): 2.0**-9, BF16: 2.0**-6}


@dataclass(frozen=True, slots=True)
class Batching:
    """How a model may be batched: the fields of `ModelReport` of these names."""

    max_batch_size: int
    joins: bool
    batching_reason: str


def find_batching(session: Session, rows: Rows, *, declared: int | None, joins: bool) -> Batching:
    """Return how a model may be batched, and how that was decided.

    `declared` is the config's max_batch_size, or None where it says nothing. A config that
    asks for requests to be joined (`joins`) answers for it; otherwise they are only where
    sample rows are seen to be independent.

    Raises:
        ModelUnavailableError: the config declares batching that the model cannot do.
    """
    fixed = _fixed_first_axis((*session.inputs, *session.outputs))
    if fixed and declared:
        raise ModelUnavailableError(
            f"the config says max_batch_size: {declared}, but tensor '{fixed}' has no dynamic"
            " first dimension; set max_batch_size: 0 or export the model with one"
        )
    if declared == 0:
        return Batching(0, False, "max_batch_size of the model's config")
    if fixed:
        return Batching(0, False, f"tensor '{fixed}' has no dynamic first dimension")
    size = declared or DEFAULT_MAX_BATCH_SIZE
    if joins:
        return Batching(size, True, "dynamic_batching of the model's config")
    dependence = _dependence(session, rows)
    if dependence:
        return Batching(size, False, f"{dependence}, so each request runs alone")
    return Batching(size, True, f"{_ROWS} rows together equal each row alone")


def _fixed_first_axis(specs: Sequence[TensorSpec]) -> str:
    """Return the name of a tensor whose first dimension is not open, or nothing."""
    required = (spec for spec in specs if not spec.optional)
    return next((spec.name for spec in required if not spec.shape or spec.shape[0] != -1), "")


def _dependence(session: Session, rows: Rows) -> str:
    """Say how rows depend on each other, or nothing if they were seen not to."""
    try:
        inputs = rows.take(_ROWS)
        together = session.run("", inputs)
        alone = [session.run("", row(inputs, index)) for index in range(_ROWS)]
    except FarmError:
        return "sample rows could not be run together"
    for position, name in enumerate(session.output_names):
        joined = together[position]
        if joined.shape[:1] != (_ROWS,):
            return f"output '{name}' does not follow the first dimension"
        for index in range(_ROWS):
            single = alone[index][position]
            if single.shape[:1] != (1,):
                return f"output '{name}' has no first dimension for a single row"
            if not _close(single, joined[index : index + 1]):
                return f"output '{name}' of a row depends on the other rows"
    return ""


def _close(alone: np.ndarray, joined: np.ndarray) -> bool:
    if alone.shape != joined.shape:
        return False
    tolerance = _SHORT_TOLERANCES.get(alone.dtype, _TOLERANCE)
    if alone.dtype == BF16:
        alone, joined = to_floats(alone), to_floats(joined)
    if alone.dtype.kind != "f":
        return bool(np.array_equal(alone, joined))
    magnitude = float(np.max(np.abs(alone), initial=0.0, where=np.isfinite(alone)))
    return bool(
        np.allclose(alone, joined, rtol=tolerance, atol=tolerance * magnitude, equal_nan=True)
    )
