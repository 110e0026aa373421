"""What else a report tells of a farm: its joules, how much of it was used, waste, carbon."""

from collections.abc import Mapping, Sequence
from typing import Final

from farm.core.energy import EnergySource, weakest
from farm.core.ledger import LedgerFigures, Usage, WasteKind
from farm.energy.carbon import Grid, carbon
from farm.energy.figures import (
    GRAMS,
    JOULES,
    NOBODY,
    REQUESTS,
    SECONDS,
    SHARE,
    UNPRICED,
    Figure,
    Section,
    assumed_j,
    energy_band,
    energy_source,
    shares_said,
)
from farm.energy.operation import Operation
from farm.energy.pricing_rules import DAY_S

_UNPRICED_POWER = "electricity has no price: set power.price_per_kwh or power.tariff"
_ROUGH = "by the prices of today: an older version recorded a part of this time as one sum"

# What became of the requests that a batch ran for nobody.
_WASTED: Final[Mapping[WasteKind, str]] = {
    WasteKind.FAILED: "the request got an error",
    WasteKind.RETRIED: "the request was run again",
    WasteKind.HEDGED: "a second node was quicker",
    WasteKind.CANCELLED: "the client left",
    WasteKind.EXPIRED: "the deadline passed",
    WasteKind.UNTOLD: "recorded by an older version",
}


def energy(operation: Operation) -> Section:
    """Return the joules of requests and of all, and where those figures come from."""
    usage = operation.figures.usage
    answered = operation.answered
    band = energy_band(usage)

    def share(key: str, label: str, joules: float, source: EnergySource) -> Figure:
        value = joules / usage.joules if usage.joules else None
        return Figure(key=key, label=label, value=value, unit=SHARE, source=source)

    return Section(
        key="energy",
        title="Energy",
        figures=(
            Figure(
                key="per_request",
                label="a request, idle time and waste included",
                value=band.typical / answered if answered else None,
                unit=JOULES,
                source=operation.source,
                band=band.times(1 / answered) if answered else None,
                note=shares_said(usage) if answered else NOBODY,
            ),
            Figure(
                key="marginal_per_request",
                label="a request, beyond what is drawn idle",
                value=usage.marginal_j / answered if answered else None,
                unit=JOULES,
                source=operation.source,
                note="" if answered else NOBODY,
            ),
            Figure(
                key="total",
                label="all of this time",
                value=band.typical,
                unit=JOULES,
                source=operation.source,
                band=band,
                note=shares_said(usage),
            ),
            share("measured", "of it measured", usage.measured_j, EnergySource.MEASURED),
            share("modelled", "of it modelled", usage.modelled_j, EnergySource.MODELLED),
            share("assumed", "of it assumed", assumed_j(usage), EnergySource.ASSUMED),
        ),
        notes=(
            "measured: by a meter, its band being what is assumed for meters of its type, no"
            " maker's word; modelled: from board, utilisation and clock; assumed: where neither a"
            f" meter nor the board is known, and {operation.terms.overhead_w:g} W of overhead by"
            " the operator's word",
        ),
    )


def spending(operation: Operation) -> Section:
    """Return where the money goes: to whoever sells power, and to whoever sold the boards."""
    terms = operation.terms
    currency = terms.currency or ""
    electricity, total = operation.electricity, operation.cost
    usage, price = operation.figures.usage, operation.price_per_kwh
    rough = usage.cost is not None and usage.power_cost is None
    return Section(
        key="spending",
        title="Where the money goes",
        figures=(
            Figure(
                key="electricity",
                label="electricity",
                value=electricity,
                unit=currency,
                source=operation.source,
                note=_UNPRICED_POWER if electricity is None else _ROUGH if rough else "",
            ),
            Figure(
                key="boards",
                label="having the boards",
                value=None if total is None else max(total - (electricity or 0.0), 0.0),
                unit=currency,
                source=EnergySource.ASSUMED,
                note=UNPRICED if total is None else _ROUGH if rough else "",
            ),
            Figure(
                key="boards_per_day",
                label="having the boards, a day, as of now",
                value=None if terms.capital_per_s is None else terms.capital_per_s * DAY_S,
                unit=currency,
                source=EnergySource.ASSUMED,
                note="no board has a board_price" if terms.capital_per_s is None else "",
            ),
            Figure(
                key="price_per_kwh",
                label="a kilowatt-hour, on average over this time",
                value=price,
                unit=currency,
                source=EnergySource.ASSUMED,
                note=_UNPRICED_POWER if price is None else "",
            ),
        ),
    )


def utilisation(operation: Operation) -> Section:
    """Return how much of the farm was used."""
    most = operation.farm_cost
    return Section(
        key="utilisation",
        title="Utilisation",
        figures=(
            Figure(
                key="utilisation",
                label="node-seconds used, of those that there were",
                value=operation.utilisation,
                unit=SHARE,
                note=f"{operation.figures.usage.node_s:,.1f} of"
                f" {operation.terms.nodes * operation.seconds:,.0f}, of"
                f" {operation.terms.nodes} node{'s' * (operation.terms.nodes != 1)} as of now",
            ),
            Figure(
                key="answered", label="answered", value=operation.answered, unit=REQUESTS
            ),
            Figure(
                key="most_per_day",
                label="what it could answer in a day",
                value=None if most is None else most.most_per_day,
                unit=REQUESTS,
                source=EnergySource.MODELLED,
                note="not known without prices and answers"
                if most is None
                else "its nodes; a gateway or a network may be full before them",
            ),
            Figure(
                key="seconds",
                label="time in which the gateway ran",
                value=operation.seconds,
                unit=SECONDS,
            ),
        ),
    )  # fmt: skip


def waste(operation: Operation, by_kind: Sequence[LedgerFigures]) -> Section:
    """Return what was spent on nobody: work without an answer, by kind, and idle windows."""
    figures = operation.figures
    wasted, idle = energy_source(figures.wasted), energy_source(figures.idle)
    kinds = {each.key: each.usage for each in by_kind}
    currency = operation.terms.currency or ""
    whole = figures.usage.joules

    def spent(key: str, label: str, joules: float, source: EnergySource) -> Figure:
        note = f"{joules / whole:.1%} of all" if whole else ""
        return Figure(key=key, label=label, value=joules, unit=JOULES, source=source, note=note)

    def money(key: str, label: str, usage: Usage, source: EnergySource) -> Figure:
        value = usage.cost
        if value is None and (figures.usage.cost is not None or usage == Usage()):
            value = 0.0
        note = UNPRICED if value is None else ""
        return Figure(key=key, label=label, value=value, unit=currency, source=source, note=note)

    def of_kind(kind: WasteKind) -> tuple[Figure, Figure]:
        usage = kinds.get(kind, Usage())
        source = energy_source(usage) if usage.joules else wasted
        return (
            spent(f"wasted_{kind}", f"of it {kind}: {_WASTED[kind]}", usage.joules, source),
            money(f"wasted_{kind}_cost", f"cost of {kind}", usage, source),
        )

    told = [kind for kind in WasteKind if kind is not WasteKind.UNTOLD or kind in kinds]
    return Section(
        key="waste",
        title="Waste",
        figures=(
            spent("wasted", "work that answered nobody", figures.wasted.joules, wasted),
            money("wasted_cost", "cost of what answered nobody", figures.wasted, wasted),
            *(figure for kind in told for figure in of_kind(kind)),
            spent("idle", "windows in which nothing ran", figures.idle.joules, idle),
            money("idle_cost", "cost of windows in which nothing ran", figures.idle, idle),
        ),
        notes=("a batch without an answer is all waste, of another the share of the rows whose"
               " requests were gone when it came back",),
    )  # fmt: skip


def emissions(operation: Operation) -> Section:
    """Return greenhouse gas by the SCI specification, as far as it is known."""
    terms = operation.terms
    intensity = terms.grid_gco2e_per_kwh
    grid = None if intensity is None else Grid(gco2e_per_kwh=intensity, source=terms.grid_source)
    per_s = terms.embodied_g_per_s
    sci = carbon(
        energy_band(operation.figures.usage),
        grid=grid,
        embodied_g=None if per_s is None else per_s * operation.seconds,
        requests=operation.answered,
    )
    total, each = sci.total_g, sci.per_request_g
    lacks = f"without that of {sci.lacks}" if sci.lacks else ""
    told = "set power.grid (gco2e_per_kwh and its source) and embodied_kgco2e of the boards"
    source = weakest((operation.source, EnergySource.ASSUMED))
    notes = []
    if grid is not None:
        notes.append(f"the grid: {grid.gco2e_per_kwh:g} gCO2e per kWh ({grid.source})")
    if terms.untold_hosts and per_s is not None:
        notes.append(f"without embodied_kgco2e: {', '.join(terms.untold_hosts)}")
    return Section(
        key="carbon",
        title="Carbon (SCI)",
        figures=(
            Figure(
                key="per_request",
                label="a request",
                value=None if each is None else each.typical,
                unit=GRAMS,
                source=source,
                band=each,
                note=told if total is None else lacks if operation.answered else NOBODY,
            ),
            Figure(
                key="total",
                label="all of this time",
                value=None if total is None else total.typical,
                unit=GRAMS,
                source=source,
                band=total,
                note=told if total is None else lacks,
            ),
        ),
        notes=tuple(notes),
    )
