"""Warm-up requests of a model's config: made up or read, and run."""

from pathlib import Path

import numpy as np

from farm.core.errors import FarmError, ModelUnavailableError
from farm.core.models import Warmup, WarmupData, WarmupInput
from farm.core.tensors import Datatype
from farm.node.arrays import DTYPES, AnyArray, to_array
from farm.node.rows import random_array
from farm.node.sessions import Session


def run_warmup(
    session: Session, warmup: Warmup, folder: Path, *, batched: bool, count: int
) -> None:
    """Run a warm-up `count` times. `folder` holds the files that it reads.

    Without a batch axis (`batched` is false) its rows do not count.

    Raises:
        ModelUnavailableError: the model does not run on it; the message names it.
    """
    try:
        rows = warmup.batch_size if batched else 0
        feeds = {given.name: _array(given, rows, folder) for given in warmup.inputs}
        for _ in range(count):
            session.run(warmup.name, feeds)
    except FarmError as error:
        raise ModelUnavailableError(
            f"warm-up '{warmup.name}': {error.message}; correct model_warmup in the model's config"
        ) from error


def _array(given: WarmupInput, rows: int, folder: Path) -> AnyArray:
    shape = (rows, *given.shape) if rows else given.shape
    if given.file is not None:
        raw = (folder / given.file.path).read_bytes() * (rows or 1)
        return to_array(given.name, given.datatype, shape, raw)
    if given.datatype is Datatype.BYTES:
        # As Triton has it: made-up strings are empty ones.
        return np.full(shape, "", dtype=np.object_)
    if given.data is WarmupData.RANDOM:
        return random_array(given.datatype, shape, np.random.default_rng(0))
    return np.zeros(shape, dtype=DTYPES[given.datatype])
