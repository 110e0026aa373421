"""What a client gets back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from farm.client.receipts import ReceiptView
from farm.core.errors import FarmError


@dataclass(frozen=True, slots=True, kw_only=True)
class InferResult:
    """An answer. `result["name"]` is an output as an array, read-only as it arrived."""

    model: str
    version: str
    id: str
    outputs: Mapping[str, NDArray[np.generic]]
    receipt: ReceiptView
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> NDArray[np.generic]:
        return self.outputs[name]


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamAnswer:
    """The answer to request number `index` of a stream, from 0: a result or an error."""

    index: int
    result: InferResult | None = None
    error: FarmError | None = None

    def unwrap(self) -> InferResult:
        """Return the result.

        Raises:
            FarmError: this request failed.
        """
        if self.error is not None:
            raise self.error
        if self.result is None:
            raise ValueError("a StreamAnswer needs a result or an error")
        return self.result
