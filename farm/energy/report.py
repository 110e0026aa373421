"""What a farm did in a time, what that cost, and what it saved: all that a report says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from farm.core.ledger import GroupBy, Incident, LedgerAnswer, LedgerFigures
from farm.core.terms import FarmTerms
from farm.energy import levers, report_sections
from farm.energy.baselines import STALE_AFTER_DAYS, Baseline, Unpriced
from farm.energy.comparison import Comparison, compare
from farm.energy.figures import Figure, Section, work_figures
from farm.energy.operation import Operation

# In a shorter time it makes a difference that joules come in after the requests.
_ENOUGH_S = 900.0
_WITHOUT_REQUESTS = (GroupBy.NODE, GroupBy.ROUTE, GroupBy.WASTE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What some work came to: of one model, node or client, or from a moment on."""

    subject: str
    start_unix_ns: int
    figures: tuple[Figure, ...]

    def figure(self, key: str) -> Figure:
        """Return one of its figures."""
        return next(figure for figure in self.figures if figure.key == key)


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerReading:
    """What was asked of a ledger: the whole of a time, its steps, and by whom or by what.

    `waste` has what was wasted, by its kind.
    """

    since_unix_ns: int
    until_unix_ns: int
    whole: LedgerAnswer
    steps: Sequence[LedgerFigures]
    step_s: int
    groups: Mapping[GroupBy, Sequence[LedgerFigures]]
    waste: Sequence[LedgerFigures] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A report. `levers` are its head line: latency, egress, cost, incidents.

    `is_empty` tells that the ledger has nothing of this time: then there are no sections, and
    `warnings` say so.
    """

    farm: str
    since_unix_ns: int
    until_unix_ns: int
    currency: str
    operation: Operation | None = None
    levers: tuple[Section, ...] = ()
    sections: tuple[Section, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    groups: Mapping[GroupBy, tuple[Work, ...]] = field(default_factory=dict)
    steps: tuple[Work, ...] = ()
    step_s: int = 0
    incidents: tuple[Incident, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        return self.operation is None


def report(
    reading: LedgerReading,
    terms: FarmTerms,
    *,
    farm: str,
    baselines: Sequence[Baseline],
    egress: Sequence[Baseline],
    today: date,
) -> Report:
    """Return a report that compares a farm with some baselines; `egress` prices bytes alone."""
    whole = reading.whole
    # What is in the ledger may have had prices that were taken out of the configuration since.
    terms = replace(terms, currency=whole.currency or terms.currency)
    currency = terms.currency or ""
    # Requests are counted as they come, joules when their window is closed.
    if not whole.figures or not whole.figures[0].window_s:
        return Report(
            farm=farm,
            since_unix_ns=reading.since_unix_ns,
            until_unix_ns=reading.until_unix_ns,
            currency=currency,
            incidents=whole.incidents,
            warnings=(_nothing(whole), *_drops(whole)),
        )
    operation = Operation(figures=whole.figures[0], terms=terms)
    compared = [
        (each.name, compare(each, operation, today)) for each in baselines if operation.answered
    ]
    unpriced = [
        f"{name} is not compared: {found.reason}"
        for name, found in compared
        if isinstance(found, Unpriced)
    ]
    comparisons = tuple(found for _, found in compared if isinstance(found, Comparison))
    return Report(
        farm=farm,
        since_unix_ns=reading.since_unix_ns,
        until_unix_ns=reading.until_unix_ns,
        currency=currency,
        operation=operation,
        levers=(
            levers.latency(operation),
            levers.egress(operation, egress, today),
            levers.cost(operation),
            levers.incidents(operation, whole.incidents),
        ),
        sections=(
            report_sections.energy(operation),
            report_sections.spending(operation),
            report_sections.utilisation(operation),
            report_sections.waste(operation, reading.waste),
            report_sections.emissions(operation),
        ),
        comparisons=comparisons,
        groups={
            group: tuple(
                _work(each, currency, knows_requests=group not in _WITHOUT_REQUESTS)
                for each in figures
            )
            for group, figures in reading.groups.items()
        },
        steps=tuple(_work(each, currency) for each in reading.steps),
        step_s=reading.step_s,
        incidents=whole.incidents,
        warnings=(
            *_idle(operation),
            *_short(operation),
            *_drops(whole),
            *_shortened(reading),
            *_stale(comparisons),
            *unpriced,
        ),
    )


def _work(figures: LedgerFigures, currency: str, *, knows_requests: bool = True) -> Work:
    return Work(
        subject=figures.key,
        start_unix_ns=figures.start_unix_ns,
        figures=work_figures(figures, currency, knows_requests=knows_requests),
    )


def _nothing(whole: LedgerAnswer) -> str:
    if whole.figures:
        return "requests were counted, but not yet their joules; ask again in half a minute"
    if whole.begins_unix_ns is None:
        return "the ledger is empty: nothing was recorded yet"
    return "the ledger has nothing of this time; ask for another one with --since and --until"


def _idle(operation: Operation) -> list[str]:
    if operation.answered:
        return []
    return ["no request was answered in this time; what is told is what the farm took all the same"]


def _short(operation: Operation) -> list[str]:
    if operation.seconds >= _ENOUGH_S:
        return []
    return [
        f"the gateway ran for {operation.seconds:.0f} s of this time, and joules come in some"
        " seconds after the requests: what is told of a request, and by the day, is rough"
    ]


def _drops(whole: LedgerAnswer) -> list[str]:
    if not whole.drops:
        return []
    return [
        f"{whole.drops:,} records were lost since the gateway started, because its disk failed for"
        " too long; what they would have added is missing here"
    ]


def _shortened(reading: LedgerReading) -> list[str]:
    begins = reading.whole.begins_unix_ns
    if begins is None or begins <= reading.since_unix_ns:
        return []
    return ["the ledger begins later than this time does, and what was before is not in it"]


def _stale(comparisons: Sequence[Comparison]) -> list[str]:
    stale = [each for each in comparisons if each.baseline.stale(each.today)]
    if not stale:
        return []
    return [
        f"prices older than {STALE_AFTER_DAYS} days: "
        + ", ".join(f"{each.baseline.name} ({each.baseline.read.isoformat()})" for each in stale)
        + "; check them, and give newer ones with --baselines"
    ]
