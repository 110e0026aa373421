"""What a client gets back."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_PREFIX = "farm_"


class ReceiptView(Mapping[str, Any]):
    """What a request took, by the names of DESIGN without their `farm_` prefix.

    Empty for a server that gives none. Times are integers in microseconds (`queue_us`,
    `compute_us`), `batch_size` counts rows.
    """

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self._values = {
            key.removeprefix(_PREFIX): value
            for key, value in sorted(parameters.items())
            if key.startswith(_PREFIX)
        }

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        inside = ", ".join(f"{key}={value!r}" for key, value in self._values.items())
        return f"Receipt({inside})"


@dataclass(frozen=True, slots=True, kw_only=True)
class InferResult:
    """An answer. `result["name"]` is an output as an array."""

    model: str
    version: str
    id: str
    outputs: Mapping[str, NDArray[np.generic]]
    receipt: ReceiptView

    def __getitem__(self, name: str) -> NDArray[np.generic]:
        return self.outputs[name]
