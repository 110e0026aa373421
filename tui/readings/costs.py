"""What a farm cost beside clouds, as its operator reads it: figures, baselines, lines over time."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final

from textual.content import Content

from farm.core.energy import EnergySource
from farm.core.errors import UnsupportedError
from farm.core.ledger import LedgerAnswer, LedgerQuery
from farm.core.terms import FarmTerms
from farm.core.text import printable
from farm.energy import report_data
from farm.energy.catalogue import shipped_catalogue
from farm.energy.comparison import Comparison
from farm.energy.cost_over_time import CostStep, cost_over_time
from farm.energy.figures import Figure, Section
from farm.energy.pricing_rules import DAY_S
from farm.energy.report import LedgerReading, Report, report
from farm.energy.report_reading import read
from farm.energy.report_words import UNKNOWN, amount, band, figure, moment
from tui.export import Exported
from tui.readings.pairs import Pair, Points
from tui.readings.quantities import age

# What of a report is about money, joules and carbon, in this order.
_SECTIONS: Final = ("cost", "spending", "waste", "energy", "carbon", "utilisation")
# Characters of a note that others wrote.
_MOST: Final = 500
# What costs less than this share of what the farm does is cheaper by far; more of it would
# squeeze the lines.
_LEAST_SHARE: Final = 1e-3

# Of the table of baselines, the most telling first: a narrow terminal cuts off the rest.
BASELINE_COLUMNS: Final = (
    "baseline", "saved", "1,000 there", "the farm is cheaper", "prices of", "1,000 converted",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A baseline beside the farm: its row, what each step cost here and there, break-even."""

    name: str
    row: tuple[str, ...]
    over_time: Pair
    break_even: Pair


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What a time cost, ready to be shown."""

    report: Report
    lines: tuple[Content, ...]
    compared: tuple[Compared, ...]


def read_costs(
    ledger: Callable[[LedgerQuery], LedgerAnswer],
    terms: Callable[[int, int], FarmTerms],
    since_unix_ns: int,
    until_unix_ns: int,
    *,
    farm: str,
    now: datetime,
    marks: Mapping[EnergySource, str],
) -> Costs:
    """Ask what a time cost; both questions block, and what they raise is raised here.

    Moments are told in the time zone of `now`.

    Raises:
        UnsupportedError: nothing can be made of the answers.
    """
    try:
        reading = read(ledger, since_unix_ns, until_unix_ns)
        asked = terms(since_unix_ns, until_unix_ns)
        return _costs(reading, asked, farm=farm, now=now, marks=marks)
    except (ValueError, ArithmeticError) as error:
        raise UnsupportedError(
            f"what the gateway tells of money cannot be reckoned with: {error}"
        ) from error


def _costs(
    reading: LedgerReading,
    terms: FarmTerms,
    *,
    farm: str,
    now: datetime,
    marks: Mapping[EnergySource, str],
) -> Costs:
    catalogue = shipped_catalogue()
    found = report(
        reading,
        terms,
        farm=farm,
        baselines=catalogue.by_time,
        egress=catalogue.egress,
        today=now.date(),
    )
    steps: tuple[CostStep, ...] = ()
    if found.operation is not None:
        baselines = [each.baseline for each in found.comparisons]
        steps = cost_over_time(reading.steps, found.operation.terms, baselines)
    return Costs(
        report=found,
        lines=tuple(_lines(found, marks)),
        compared=tuple(
            Compared(
                name=each.baseline.name,
                row=_row(each),
                over_time=_over_time(found, steps, each, now.tzinfo),
                break_even=_break_even(found, each),
            )
            for each in found.comparisons
        ),
    )


def _lines(found: Report, marks: Mapping[EnergySource, str]) -> Iterator[Content]:
    """Yield what is to be said of a time, and its figures, each with where it comes from.

    What is nothing is left out, and nothing is said twice.
    """
    sections = {section.key: section for section in (*found.levers, *found.sections)}
    said = {""}
    for key in _SECTIONS:
        if key in sections:
            yield from _section(sections[key], marks, said)
            yield Content("")
    unsaved = dict.fromkeys(each.unsaved for each in found.comparisons if each.unsaved)
    for warning in (*unsaved, *found.warnings):
        yield Content.assemble((printable(warning, _MOST), "$text-warning"))


def _section(
    section: Section, marks: Mapping[EnergySource, str], said: set[str]
) -> Iterator[Content]:
    yield Content.assemble((section.title, "bold"))
    shown = [each for each in section.figures if each.value != 0]
    if not shown:
        yield Content.assemble((f"{'none':>14}", "$text-muted"))
    for each in shown:
        yield _figure(each, marks, said)
    for note in section.notes:
        if note not in said:
            said.add(note)
            yield Content.assemble((printable(note, _MOST), "$text-muted"))


def _figure(shown: Figure, marks: Mapping[EnergySource, str], said: set[str]) -> Content:
    note = "" if shown.note in said else printable(shown.note, _MOST)
    said.add(shown.note)
    if shown.value is None:
        told, mark, details = UNKNOWN, " ", [note]
    else:
        told, mark = figure(shown), marks[shown.source]
        details = [str(shown.source), printable(band(shown.band, shown.unit)), note]
    return Content.assemble(
        (f"{printable(told):>14} {mark} ", "bold"),
        shown.label,
        (f"  {', '.join(filter(None, details))}", "$text-muted"),
    )


def _row(comparison: Comparison) -> tuple[str, ...]:
    """Return what the table of baselines tells of one, in the order of its columns."""
    baseline = comparison.baseline
    cells = (
        baseline.name,
        figure(comparison.figure("saved_share")),
        figure(comparison.figure("price_per_1000")),
        "not claimed" if comparison.unsaved else comparison.figure("break_even_per_day").note,
        f"{baseline.read.isoformat()}{' (stale)' * baseline.stale(comparison.today)}",
        figure(comparison.figure("converted_per_1000")),
    )
    return tuple(printable(cell, _MOST) for cell in cells)


def exported(found: Report) -> Exported:
    """Return a report for programs, as `farm report` writes it."""
    return Exported(
        kind="report",
        columns=report_data.COLUMNS,
        rows=list(report_data.rows(found)),
        document=report_data.document(found),
    )


def _over_time(
    found: Report, steps: Sequence[CostStep], comparison: Comparison, zone: tzinfo | None
) -> Pair:
    """Return what each step of the time cost here and there."""
    name = comparison.baseline.name
    ours: list[tuple[float, float | None]] = []
    theirs: list[tuple[float, float | None]] = []
    length_ns = max(found.until_unix_ns - found.since_unix_ns, 1)
    step_ns = found.step_s * 1_000_000_000
    last_ns: int | None = None
    for step in steps:
        middle_ns = step.start_unix_ns + step_ns / 2 - found.since_unix_ns
        at = min(max(middle_ns / length_ns, 0.0), 1.0)
        if last_ns is not None and step.start_unix_ns - last_ns > step_ns:
            # The gateway did not run.
            ours.append((at, None))
            theirs.append((at, None))
        last_ns = step.start_unix_ns
        ours.append((at, step.cost))
        theirs.append((at, step.prices.get(name)))
    here, there = (any(value is not None for _, value in line) for line in (ours, theirs))
    said = ", ".join(
        (
            "this farm (line)" if here else "this farm's is not known",
            f"{name} (dashed)" if there else f"{name}'s is not known",
        )
    )
    return Pair(
        title=f"{found.currency or 'cost'} in {age(found.step_s)}: {said}",
        ours=ours,
        theirs=theirs,
        left=moment(found.since_unix_ns, zone),
        right=moment(found.until_unix_ns, zone),
    )


def _break_even(report: Report, comparison: Comparison) -> Pair:
    """Return what a day of so many requests costs here and there."""
    found, operation = comparison.break_even, report.operation
    name, note = comparison.baseline.name, comparison.figure("break_even_per_day").note
    farm = None if operation is None else operation.farm_cost
    if found is None or operation is None or farm is None:
        return Pair(title=f"break-even with {name}: {note}")
    most = found.points[-1].requests
    scale = math.log10(max(most, 10.0))

    def points(cost: Callable[[int], float]) -> Points:
        return [
            (math.log10(point.requests) / scale, cost(number))
            for number, point in enumerate(found.points)
        ]

    now = operation.answered / operation.seconds * DAY_S
    return Pair(
        title=f"cheaper than {name} {note}: this farm (line), {name} (dashed)",
        ours=points(lambda number: found.points[number].farm),
        theirs=points(lambda number: found.points[number].baseline),
        least=farm.per_day(1.0) * _LEAST_SHARE,
        left="1",
        right=f"{amount(most, 'requests')} requests a day",
        mark=(math.log10(now) / scale, f"now: {amount(now, 'requests')}")
        if 1 <= now <= most
        else None,
    )
