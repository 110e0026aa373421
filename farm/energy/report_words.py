"""A report's figures in words, for people."""

import math
from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import Final

from farm.core.energy import Band
from farm.energy.comparison import Comparison, representatives
from farm.energy.figures import Figure, Section
from farm.energy.report import Report, Work

UNKNOWN: Final = "unknown"

# By unit: from which value on, divided by what, it is told in which one. Minutes and hours are
# told once there are two of them.
_SCALES: Final = {
    "bytes": ((1e12, 1e12, "TB"), (1e9, 1e9, "GB"), (1e6, 1e6, "MB"), (1e3, 1e3, "kB")),
    "J": ((3.6e6, 3.6e6, "kWh"), (1e3, 1e3, "kJ"), (1.0, 1.0, "J"), (0.0, 1e-3, "mJ")),
    "gCO2e": (
        (1e6, 1e6, "tCO2e"), (1e3, 1e3, "kgCO2e"), (1.0, 1.0, "gCO2e"), (0.0, 1e-3, "mgCO2e"),
    ),
    "s": (
        (172_800.0, 86_400.0, "days"), (7_200.0, 3_600.0, "h"), (120.0, 60.0, "min"),
        (1.0, 1.0, "s"), (0.0, 1e-3, "ms"),
    ),
}  # fmt: skip
SECTION_COLUMNS: Final = ("what", "figure", "low to high", "source", "note")
# What a table of models, nodes or clients shows of each, and one of baselines.
_WORK_FIGURES: Final = (
    "answered", "failed", "p50", "p99", "energy_per_request", "energy", "cost_per_1000", "cost",
    "energy_wasted",
)  # fmt: skip
COMPARED_FIGURES: Final = ("price_per_1000", "converted_per_1000", "saved_per_1000", "saved_share")
COMPARED: Final = ("1,000 there", "in our currency", "saved on 1,000", "saved")

_MOST_ROWS: Final = 50
_WHOLE: Final = ("requests", "incidents")


def amount(value: float | None, unit: str) -> str:
    """Return a value with its unit, to three digits."""
    if value is None:
        return UNKNOWN
    if unit == "share":
        return f"{value:.1%}"
    if unit in _WHOLE:
        return f"{value:,.0f}"
    for begins, divisor, name in _SCALES.get(unit, ()):
        if value and abs(value) >= begins:
            return f"{digits(value / divisor)} {name}"
    return f"{digits(value)} {unit}".rstrip()


def moment(unix_ns: int, zone: tzinfo | None) -> str:
    """Return a moment to the minute."""
    return datetime.fromtimestamp(unix_ns / 1e9, zone).strftime("%Y-%m-%d %H:%M")


def band(bounds: Band | None, unit: str) -> str:
    """Return the bounds of a value; empty where it has none."""
    if bounds is None or bounds.low == bounds.high:
        return ""
    return f"{amount(bounds.low, unit)} to {amount(bounds.high, unit)}"


def figure(shown: Figure) -> str:
    """Return a figure's value with its unit."""
    return amount(shown.value, shown.unit)


def source(shown: Figure) -> str:
    """Return where a figure comes from; nothing of what is unknown."""
    return "" if shown.value is None else shown.source.value


def digits(value: float) -> str:
    """Return a number to three digits, without an exponent where it can be read without one."""
    if value and not 1e-6 <= abs(value) < 1e15:
        return f"{value:.2e}"
    if abs(value) >= 100 or value == 0:
        return f"{value:,.0f}"
    return f"{value:.{2 - math.floor(math.log10(abs(value)))}f}"


def work_table(by: str, work: Sequence[Work]) -> tuple[str, tuple[str, ...], list[tuple[str, ...]]]:
    """Return title, columns and rows of shares of work, those first that took most joules.

    Where there are very many the rest are left out; so are columns of which nothing is known.
    """
    most = sorted(work, key=lambda each: -(each.figure("energy").value or 0.0))[:_MOST_ROWS]
    left = f", the {_MOST_ROWS} of {len(work):,} that took most" if len(work) > len(most) else ""
    keys = [
        key for key in _WORK_FIGURES if any(each.figure(key).value is not None for each in most)
    ]
    return (
        f"By {by}{left}",
        (by, *(most[0].figure(key).label for key in keys)),
        [(each.subject or "-", *(figure(each.figure(key)) for key in keys)) for each in most],
    )


def lever(section: Section, report: Report) -> list[str]:
    """Return what a line of a report's head says: a lever's figures, and clouds beside cost."""
    first = section.figures[0]
    said = [f"{each.label}: {figure(each)}" for each in section.figures if each.value is not None]
    if first.value is None:
        said.insert(0, f"{first.label}: {UNKNOWN}, for {first.note}")
    if section.key == "cost":
        said += [
            f"{each.baseline.name} (prices of {each.baseline.read}): {beside(each)}"
            for each in representatives(report.comparisons)
        ]
    return said


def beside(comparison: Comparison) -> str:
    """Return a baseline's price of 1,000 requests, and what the farm saves against it."""
    there, saved = comparison.figure("price_per_1000"), comparison.figure("saved_per_1000")
    if saved.value is None:
        return figure(there)
    if saved.value < 0:
        return f"{figure(there)}, the farm is {amount(-saved.value, saved.unit)} dearer"
    return f"{figure(there)}, {figure(comparison.figure('saved_share'))} saved"
