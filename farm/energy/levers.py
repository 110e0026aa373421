"""The head line of a report: what an edge pilot is judged by. Latency, egress, cost, incidents."""

from collections import Counter
from collections.abc import Sequence
from datetime import date

from farm.core.energy import EnergySource, weakest
from farm.core.ledger import Incident
from farm.energy.baselines import Baseline, Unpriced, price
from farm.energy.figures import (
    BYTES,
    NOBODY,
    REQUESTS,
    SECONDS,
    SHARE,
    UNPRICED,
    Figure,
    Section,
    latency_figures,
    shares_said,
)
from farm.energy.operation import Operation


def latency(operation: Operation) -> Section:
    """Return how long answers took, and how many of those with a deadline came before it."""
    counts = operation.figures.counts
    with_deadline = counts.in_time + counts.late
    return Section(
        key="latency",
        title="Latency",
        figures=(
            *latency_figures(operation.figures),
            Figure(
                key="mean",
                label="mean",
                value=counts.latency_s / counts.answered if counts.answered else None,
                unit=SECONDS,
                note="" if counts.answered else NOBODY,
            ),
            Figure(
                key="sla_attainment",
                label="answered before their deadline",
                value=counts.in_time / with_deadline if with_deadline else None,
                unit=SHARE,
                note=f"of {with_deadline:,} requests that named one; refused and failed ones are"
                " late, cancelled ones not counted"
                if with_deadline
                else "no request named a deadline",
            ),
        ),
        notes=("at the gateway; quantiles are read off counts, of which each is 1.4 times as"
               " wide as the one before",),
    )  # fmt: skip


def egress(operation: Operation, baselines: Sequence[Baseline], today: date) -> Section:
    """Return what did not have to travel to a cloud and back, and what that would have cost."""
    work = operation.workload
    figures = [
        Figure(
            key="request_bytes",
            label="requests that stayed here",
            value=work.request_bytes,
            unit=BYTES,
        ),
        Figure(
            key="response_bytes",
            label="answers that no cloud sent out",
            value=work.response_bytes,
            unit=BYTES,
        ),
    ]
    for baseline in baselines:
        asked = price(baseline, work)
        if isinstance(asked, Unpriced):
            continue
        figures.append(
            Figure(
                key=f"avoided_{baseline.name}",
                label=f"price of those at {baseline.name}",
                value=asked.total,
                unit=asked.currency,
                source=EnergySource.ASSUMED,
                note=dated(baseline, today),
            )
        )
    return Section(
        key="egress",
        title="Egress avoided",
        figures=tuple(figures),
        notes=(
            "tensors only, without headers; clouds bill what leaves them, not what comes in;"
            " assumed is that all answers would leave for the internet",
        ),
    )


def cost(operation: Operation) -> Section:
    """Return what requests cost, as the farm was used and as it could be."""
    terms = operation.terms
    currency = terms.currency or ""
    band = operation.cost_band
    per_1000 = 1000 / operation.answered if operation.answered else None
    full = operation.full_cost_per_request
    unknown = UNPRICED if band is None else NOBODY if per_1000 is None else ""
    energy_said = f"its joules are {shares_said(operation.figures.usage) or 'none'}"
    notes = []
    if band is not None:
        notes.append("prices and lifetimes are the operator's word; the band is that of the joules")
        if terms.unpriced_hosts:
            notes.append(
                f"without a board_price, so counted as free: {', '.join(terms.unpriced_hosts)}"
            )
    return Section(
        key="cost",
        title="Cost",
        figures=(
            Figure(
                key="per_1000",
                label="1,000 requests, as the farm was used",
                value=None if band is None or per_1000 is None else band.typical * per_1000,
                unit=currency,
                source=operation.source,
                band=None if band is None or per_1000 is None else band.times(per_1000),
                note=unknown or energy_said,
            ),
            Figure(
                key="per_1000_full",
                label="1,000 requests, if it were always busy",
                value=None if full is None else full * 1000,
                unit=currency,
                source=weakest((operation.source, EnergySource.MODELLED)),
                note=unknown
                or "modelled: what was fixed is spread over all that the nodes could answer",
            ),
            Figure(
                key="total",
                label="all of this time",
                value=None if band is None else band.typical,
                unit=currency,
                source=operation.source,
                band=band,
                note=UNPRICED if band is None else energy_said,
            ),
        ),
        notes=tuple(notes),
    )


def incidents(operation: Operation, happened: Sequence[Incident]) -> Section:
    """Return what went wrong: requests that failed, and what operators would be told of."""
    counted = Counter(incident.kind for incident in happened)
    asked = operation.answered + operation.failed
    return Section(
        key="incidents",
        title="Incidents",
        figures=(
            Figure(
                key="incidents", label="incidents", value=len(happened), unit="incidents",
                note=", ".join(f"{count} {kind}" for kind, count in counted.most_common()),
            ),
            Figure(
                key="failed", label="requests that failed", value=operation.failed, unit=REQUESTS,
                note=", ".join(
                    f"{count:,} {code}"
                    for code, count in sorted(
                        operation.figures.counts.failed.items(), key=lambda item: -item[1]
                    )
                ),
            ),
            Figure(
                key="answered_share",
                label="requests that were answered",
                value=operation.answered / asked if asked else None,
                unit=SHARE,
                note=f"of {asked:,}" if asked else "nobody asked",
            ),
        ),
    )  # fmt: skip


def dated(baseline: Baseline, today: date) -> str:
    """Return of when a baseline's prices are, and who says so."""
    stale = f", {baseline.age_days(today)} days old and stale" if baseline.stale(today) else ""
    return f"prices of {baseline.read.isoformat()}{stale}: {baseline.source}"
