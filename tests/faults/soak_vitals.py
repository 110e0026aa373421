"""What the processes of a soak hold, at quiet moments: memory, descriptors, threads."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final

import psutil

_MIB: Final = 1 << 20
# Fewer have no sixths.
_FEWEST: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """Processes at one moment, all of them together.

    `own_bytes` is memory that each shares with no other process.
    """

    own_bytes: int
    descriptors: int
    threads: int

    @classmethod
    def of(cls, pids: Iterable[int]) -> "Vitals":
        """Look at processes that live."""
        own_bytes = descriptors = threads = 0
        for process in map(psutil.Process, pids):
            with process.oneshot():
                own_bytes += process.memory_full_info().uss
                descriptors += process.num_fds()
                threads += process.num_threads()
        return cls(own_bytes=own_bytes, descriptors=descriptors, threads=threads)

    @property
    def own_mib(self) -> float:
        return self.own_bytes / _MIB

    def __str__(self) -> str:
        return f"{self.own_mib:.1f} MiB, {self.descriptors} descriptors, {self.threads} threads"


@dataclass(slots=True)
class Course:
    """Some processes over the rounds of a soak."""

    name: str
    vitals: list[Vitals] = field(default_factory=list)

    def take(self, *pids: int) -> None:
        """Look at the processes, which are at rest."""
        self.vitals.append(Vitals.of(pids))

    def growth(self) -> float:
        """Return what their memory is at the end to what it was after the warm-up."""
        return growth([each.own_bytes for each in self.vitals])

    def __str__(self) -> str:
        return f"{self.name}: {self.vitals[-1] if self.vitals else 'not looked at'}"


def growth(values: Sequence[float]) -> float:
    """Return the median of the last third of values over that of the second sixth.

    In the first sixth caches and allocators fill; medians leave single busy moments out.
    """
    count = len(values)
    if count < _FEWEST:
        raise ValueError(f"{_FEWEST} values are needed, not {count}")
    return median(values[-(count // 3) :]) / median(values[count // 6 : count // 3])
