"""How a node, or a whole farm, fared over time."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryPoint:
    """Means over the time that ends at `unix_ns`; None for what is not known.

    `cpu_fraction` is of all cores, 0 to 1. `latency_s` is of a node its batches' time, of the
    farm that from arrival to answer, on average.
    """

    unix_ns: int
    cpu_fraction: float | None = None
    temperature_c: float | None = None
    watts: float | None = None
    requests_per_s: float | None = None
    latency_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One line of a log, `level` as structlog names it; 0 and "" where only the text knows."""

    unix_ns: int
    level: str
    text: str
