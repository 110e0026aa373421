"""Figures of a report, each with its unit and with where it comes from."""

from dataclasses import dataclass

from farm.core.energy import Band, EnergySource, weakest
from farm.core.ledger import LedgerFigures, Usage
from farm.energy.latency import latency_s

SECONDS = "s"
JOULES = "J"
BYTES = "bytes"
SHARE = "share"
REQUESTS = "requests"
GRAMS = "gCO2e"

# Why a figure is not known.
UNPRICED = (
    "nothing had a price in this time: set power.price_per_kwh and power.currency in farm.yaml,"
    " and node.board_price (with an inventory: farm.power and the hosts' board_price)"
)
NOBODY = "no request was answered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure: of what, how much in `unit`, and the weakest source that is in it.

    `value` None is unknown, and `note` says why. `band` is where it has a low and a high.
    `key` is for scripts and stays; `label` is for people.
    """

    key: str
    label: str
    value: float | None
    unit: str
    source: EnergySource = EnergySource.MEASURED
    band: Band | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Figures of one subject; `key` is for scripts and stays."""

    key: str
    title: str
    figures: tuple[Figure, ...]
    notes: tuple[str, ...] = ()


def energy_source(usage: Usage) -> EnergySource:
    """Return the weakest source that joules have."""
    parts = {
        EnergySource.MEASURED: usage.measured_j,
        EnergySource.MODELLED: usage.modelled_j,
        EnergySource.ASSUMED: assumed_j(usage),
    }
    return weakest(source for source, joules in parts.items() if joules)


def assumed_j(usage: Usage) -> float:
    """Return the joules that are neither measured nor modelled."""
    rest = usage.joules - usage.measured_j - usage.modelled_j
    # What a sum of floats leaves is nothing that anybody assumed.
    return rest if rest > 1e-9 * usage.joules else 0.0


def shares_said(usage: Usage) -> str:
    """Return in words how much of some joules is of which source."""
    parts = (
        (usage.measured_j, EnergySource.MEASURED),
        (usage.modelled_j, EnergySource.MODELLED),
        (assumed_j(usage), EnergySource.ASSUMED),
    )
    whole = sum(joules for joules, _ in parts)
    return ", ".join(f"{joules / whole:.0%} {source}" for joules, source in parts if joules > 0)


def energy_band(usage: Usage) -> Band:
    """Return joules with their bounds."""
    return Band(usage.low_j, usage.joules, usage.high_j)


def latency_figures(figures: LedgerFigures) -> list[Figure]:
    """Return the latencies of answers, from their arrival at the gateway to their leaving it."""
    counts = figures.counts.latencies
    return [
        Figure(
            key=f"p{percent}",
            label=f"p{percent}",
            value=latency_s(counts, percent / 100),
            unit=SECONDS,
            note="" if any(counts) else "nobody got an answer",
        )
        for percent in (50, 95, 99)
    ]


def work_figures(
    figures: LedgerFigures, currency: str, *, knows_requests: bool = True
) -> tuple[Figure, ...]:
    """Return what some work came to: of one model, node or client, or in one step of time.

    Without `knows_requests` what became of requests is not known, but for their answers.
    """
    usage = figures.usage
    answered = figures.counts.answered
    source = energy_source(usage)
    each = 1 / answered if answered else None

    def joules(key: str, label: str, value: float, source: EnergySource) -> Figure:
        return Figure(key=key, label=label, value=value, unit=JOULES, source=source)

    return (
        Figure(key="answered", label="answered", value=answered, unit=REQUESTS),
        Figure(
            key="failed",
            label="failed",
            value=sum(figures.counts.failed.values()) if knows_requests else None,
            unit=REQUESTS,
            note="" if knows_requests else "a request may fail before it has a node",
        ),
        *latency_figures(figures),
        Figure(
            key="energy",
            label="energy",
            value=usage.joules,
            unit=JOULES,
            source=source,
            band=energy_band(usage),
        ),
        joules("energy_measured", "measured", usage.measured_j, EnergySource.MEASURED),
        joules("energy_modelled", "modelled", usage.modelled_j, EnergySource.MODELLED),
        joules("energy_assumed", "assumed", assumed_j(usage), EnergySource.ASSUMED),
        Figure(
            key="energy_per_request",
            label="energy of a request",
            value=None if each is None else usage.joules * each,
            unit=JOULES,
            source=source,
            band=None if each is None else energy_band(usage).times(each),
        ),
        Figure(key="cost", label="cost", value=usage.cost, unit=currency, source=source),
        Figure(
            key="cost_per_1000",
            label="cost of 1,000 requests",
            value=None if each is None or usage.cost is None else usage.cost * each * 1000,
            unit=currency,
            source=source,
        ),
        Figure(
            key="energy_wasted",
            label="wasted",
            value=figures.wasted.joules,
            unit=JOULES,
            source=energy_source(figures.wasted),
        ),
    )
