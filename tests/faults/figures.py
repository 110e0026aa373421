"""What faults cost, measured: written down where a file is named for it, asserted nowhere."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from history import History, quantile

# A file to which every test adds a line.
VARIABLE: Final = "FARM_FAULT_FIGURES"


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultFigures:
    """One fault: requests by how they ended, p99 before it and under it, and how long it lasted.

    `last_batch_s` is when, after the fault, a lost node was last given a batch; `recovered_s`
    when everything was as before.
    """

    answered: int
    failed: int
    normal_p99_s: float
    faulty_p99_s: float
    recovered_s: float
    last_batch_s: float | None = None

    @classmethod
    def of(
        cls,
        history: History,
        *,
        began_s: float,
        lost_s: float,
        back_s: float,
        last_batch_s: float | None = None,
    ) -> "FaultFigures":
        """Return the figures of a history; `lost_s` is when the fault was injected."""
        answered = sum(1 for _ in history.answers())
        return cls(
            answered=answered,
            failed=len(history.replies) - answered,
            normal_p99_s=quantile(history.latencies_s(since_s=began_s, until_s=lost_s), 0.99),
            faulty_p99_s=quantile(history.latencies_s(since_s=lost_s, until_s=back_s), 0.99),
            recovered_s=back_s - lost_s,
            last_batch_s=last_batch_s,
        )

    def write(self, test: str) -> None:
        """Tell them as those of a test, named with its parameters."""
        tell(
            test,
            answered=self.answered,
            failed=self.failed,
            p99_ratio=self.faulty_p99_s / self.normal_p99_s,
            last_batch_s=self.last_batch_s,
            recovered_s=self.recovered_s,
        )


def tell(test: str, **figures: float | None) -> None:
    """Add what a run of a test measured to the file of figures, if there is to be one.

    The words for a quantity are in benchmarks/reliability.py.
    """
    name = os.environ.get(VARIABLE)
    if name:
        told = {quantity: value for quantity, value in figures.items() if value is not None}
        with Path(name).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"test": test, "figures": told}) + "\n")
