"""What a window of a farm drew and cost, what it charges, and what something took of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from farm.core.energy import EnergyReading, EnergySource
from farm.energy.joules import NO_JOULES, Joules


@dataclass(frozen=True, slots=True, kw_only=True)
class HostWindow:
    """What one host did in a window: its joules, and the CPU seconds of all that ran there.

    `idle_w` is what it draws when it does nothing.
    """

    energy: Joules
    idle_w: float
    busy_core_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FarmWindow:
    """What a whole farm drew and cost from `start` to `end`, in seconds of one clock.

    `overhead` is what no host's meter sees. `tariff` is the price of a joule and `capital` that
    of all boards' time in the window; None where there is no price.
    """

    start: float
    end: float
    hosts: Mapping[str, HostWindow]
    overhead: Joules = NO_JOULES
    tariff: float | None = None
    capital: float | None = None

    @property
    def energy(self) -> Joules:
        """All joules of the farm."""
        return sum((host.energy for host in self.hosts.values()), self.overhead)

    @property
    def cost(self) -> float | None:
        """What the window cost; None where neither joules nor boards have a price."""
        return priced(self.energy.typical, self.tariff, self.capital)

    @property
    def power_cost(self) -> float | None:
        """The part of the cost that went to electricity; None where there is no cost."""
        return power_part(self.energy.typical, self.tariff, self.capital)


def priced(joules: float, tariff: float | None, capital: float | None) -> float | None:
    """Return the cost of joules and of boards' time, None where neither has a price."""
    power_cost = power_part(joules, tariff, capital)
    return None if power_cost is None else power_cost + (capital or 0.0)


def power_part(joules: float, tariff: float | None, capital: float | None) -> float | None:
    """Return which part of that cost the joules are; 0 where boards alone have a price."""
    return None if tariff is None and capital is None else joules * (tariff or 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What something took: its own joules, its share of the base, time and money.

    `node_s` is the time for which it had a whole node, `core_s` that of a core: its seconds
    times its threads. `power_cost` is the part of `cost` that went to electricity.
    """

    marginal: Joules = NO_JOULES
    base: Joules = NO_JOULES
    node_s: float = 0.0
    core_s: float = 0.0
    cost: float | None = None
    power_cost: float | None = None

    @property
    def energy(self) -> Joules:
        return self.marginal + self.base

    def __add__(self, other: "Charge") -> "Charge":
        return Charge(
            marginal=self.marginal + other.marginal,
            base=self.base + other.base,
            node_s=self.node_s + other.node_s,
            core_s=self.core_s + other.core_s,
            cost=_sum(self.cost, other.cost),
            power_cost=_sum(self.power_cost, other.power_cost),
        )


def _sum(one: float | None, other: float | None) -> float | None:
    """Return what is known of a sum."""
    if one is None or other is None:
        return one if other is None else other
    return one + other


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What a window of so many `seconds` charged.

    `marginal` has joules a thread-second by node. `base` are the joules and `capital` the price
    of the boards that the `node_s` node-seconds of the window shared; `tariff` is the price of
    a joule.
    """

    seconds: float
    marginal: Mapping[str, Joules] = field(default_factory=dict)
    base: Joules = NO_JOULES
    node_s: float
    capital: float | None = None
    tariff: float | None = None

    def charge(self, node_id: str, *, thread_s: float, node_s: float) -> Charge:
        """Return what a batch of so many seconds took in that window."""
        share = node_s / self.node_s
        marginal = self.marginal.get(node_id, NO_JOULES).times(thread_s)
        base = self.base.times(share)
        capital = None if self.capital is None else self.capital * share
        joules = marginal.typical + base.typical
        return Charge(
            marginal=marginal,
            base=base,
            node_s=node_s,
            core_s=thread_s,
            cost=priced(joules, self.tariff, capital),
            power_cost=power_part(joules, self.tariff, capital),
        )

    def foretell(
        self, node_id: str, *, thread_s: float, node_s: float, elapsed_s: float, among_s: float
    ) -> tuple[EnergyReading, float | None]:
        """Return what a batch is likely to take in the window after that one, and its cost.

        That has gone on for `elapsed_s` and had `among_s` node-seconds so far, the batch's own
        among them: both windows' base is shared among all of both. So what one lonely request
        paid is not asked of each in a crowd, nor the other way round.
        """
        all_s = self.node_s + among_s
        share = node_s * (1 + elapsed_s / self.seconds) / all_s if all_s else 0.0
        own, base = self.marginal.get(node_id, NO_JOULES), self.base
        joules = own.band.typical * thread_s + base.band.typical * share
        energy = EnergyReading(
            joules=joules,
            low=own.band.low * thread_s + base.band.low * share,
            high=own.band.high * thread_s + base.band.high * share,
            source=self._source(own),
            window_s=thread_s,
        )
        capital = None if self.capital is None else self.capital * share
        return energy, priced(joules, self.tariff, capital)

    def _source(self, own: Joules) -> EnergySource:
        """Return what a sum of the base and a node's own joules is worth."""
        if own.assumed or self.base.assumed:
            return EnergySource.ASSUMED
        if own.modelled or self.base.modelled:
            return EnergySource.MODELLED
        return EnergySource.MEASURED if own.measured or self.base.measured else EnergySource.ASSUMED
