"""A farm's terms, from what its operator configured."""

from collections.abc import Callable, Mapping
from statistics import fmean
from typing import Final

from farm.core.terms import FarmTerms
from farm.energy.carbon import Grid, embodied_g
from farm.energy.economics import Economics, HostEconomics
from farm.energy.fx import Exchange
from farm.energy.tariff import J_PER_KWH

# Moments at which a tariff is looked at, spread evenly: a prime number, for those of some days
# in a row would always be at the same hours otherwise.
_MOMENTS: Final = 997


def farm_terms(
    economics: Economics,
    *,
    machines: Mapping[str, str],
    grid: Grid | None,
    exchange: Exchange,
    since_s: float,
    until_s: float,
) -> FarmTerms:
    """Return the terms of a farm for a time, in Unix seconds.

    `machines` has the host of every node that joined, by the node's name: nodes that share one
    have its price once.
    """
    hosts = {
        machines.get(name) or host.host or name: host for name, host in economics.hosts.items()
    }
    hosts.update({name: HostEconomics() for name in machines.values() if name not in hosts})
    capital = {name: host.capital_per_s for name, host in hosts.items()}
    embodied = {
        name: None
        if host.embodied_kgco2e is None
        else embodied_g(host.embodied_kgco2e, lifetime_years=host.lifetime_years, seconds=1.0)
        for name, host in hosts.items()
    }
    return FarmTerms(
        nodes=len({*machines, *(name for name, host in economics.hosts.items() if host.serves)}),
        currency=economics.currency,
        price_per_kwh=_average_per_kwh(economics.tariff, since_s, until_s),
        capital_per_s=_known_sum(capital),
        unpriced_hosts=_unknown(capital),
        overhead_w=economics.overhead_w,
        grid_gco2e_per_kwh=None if grid is None else grid.gco2e_per_kwh,
        grid_source="" if grid is None else grid.source,
        embodied_g_per_s=_known_sum(embodied),
        untold_hosts=_unknown(embodied),
        fx=exchange.rates,
    )


def _average_per_kwh(
    price_per_j: Callable[[float], float] | None, since_s: float, until_s: float
) -> float | None:
    if price_per_j is None:
        return None
    step_s = (until_s - since_s) / _MOMENTS
    prices = (price_per_j(since_s + (moment + 0.5) * step_s) for moment in range(_MOMENTS))
    return fmean(prices) * J_PER_KWH


def _known_sum(values: Mapping[str, float | None]) -> float | None:
    known = [value for value in values.values() if value is not None]
    return sum(known) if known else None


def _unknown(values: Mapping[str, float | None]) -> tuple[str, ...]:
    return tuple(sorted(name for name, value in values.items() if value is None))
