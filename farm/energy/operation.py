"""What a farm did in a time and what that cost: as it was used, and as it could be."""

from dataclasses import dataclass

from farm.core.energy import Band, EnergySource
from farm.core.ledger import LedgerFigures
from farm.core.terms import FarmTerms
from farm.energy.baselines import Workload
from farm.energy.break_even import FarmCost
from farm.energy.figures import energy_source
from farm.energy.pricing_rules import DAY_S
from farm.energy.tariff import J_PER_KWH


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A farm's sums over a time in which its gateway ran, and its terms."""

    figures: LedgerFigures
    terms: FarmTerms

    @property
    def seconds(self) -> float:
        """For how long the gateway ran."""
        return self.figures.window_s

    @property
    def answered(self) -> int:
        return self.figures.counts.answered

    @property
    def failed(self) -> int:
        """Requests that got an error, refusals included."""
        return sum(self.figures.counts.failed.values())

    @property
    def source(self) -> EnergySource:
        """The weakest source of its joules."""
        return energy_source(self.figures.usage)

    @property
    def cost(self) -> float | None:
        """What all of it cost; None where nothing has a price."""
        return self.figures.usage.cost

    @property
    def cost_band(self) -> Band | None:
        """The cost with the bounds that the joules leave to it; prices are taken as they are."""
        usage = self.figures.usage
        if usage.cost is None:
            return None
        price = self._price_per_j
        return Band(
            max(usage.cost - (usage.joules - usage.low_j) * price, 0.0),
            usage.cost,
            usage.cost + (usage.high_j - usage.joules) * price,
        )

    @property
    def electricity(self) -> float | None:
        """What its joules cost, as they were charged; None where they had no price.

        Where that is not recorded it is reckoned by the prices of today.
        """
        usage, price = self.figures.usage, self.terms.price_per_kwh
        if usage.power_cost is None:
            return None if price is None else usage.joules * price / J_PER_KWH
        return usage.power_cost if usage.power_cost or price is not None else None

    @property
    def price_per_kwh(self) -> float | None:
        """What a kilowatt-hour cost on average; None where it had no price."""
        joules = self.figures.usage.joules
        if self.electricity is None or not joules:
            return self.terms.price_per_kwh
        return self.electricity / joules * J_PER_KWH

    @property
    def utilisation(self) -> float | None:
        """Node-seconds that were used, of those that there were; None without any."""
        there_were = self.terms.nodes * self.seconds
        return min(self.figures.usage.node_s / there_were, 1.0) if there_were else None

    @property
    def farm_cost(self) -> FarmCost | None:
        """Its cost by the day and by the request; None where one is not known.

        What requests like these would take on every node all day long is the most it can serve.
        """
        if self.cost is None or not self.answered or not self.utilisation:
            return None
        marginal = min(self.figures.usage.marginal_j * self._price_per_j, self.cost)
        days = self.seconds / DAY_S
        return FarmCost(
            fixed_per_day=(self.cost - marginal) / days,
            per_request=marginal / self.answered,
            most_per_day=self.answered / self.utilisation / days,
        )

    @property
    def full_cost_per_request(self) -> float | None:
        """What a request would cost if every node were busy with such all the time."""
        cost = self.farm_cost
        return None if cost is None else cost.per_day(cost.most_per_day) / cost.most_per_day

    @property
    def workload(self) -> Workload:
        """The answered requests, as a cloud would be asked for them: without what was wasted."""
        counts = self.figures.counts
        return Workload(
            requests=self.answered,
            seconds=self.seconds,
            compute_s=max(self.figures.usage.reference_s - self.figures.wasted.reference_s, 0.0),
            request_bytes=counts.request_bytes,
            response_bytes=counts.response_bytes,
        )

    @property
    def _price_per_j(self) -> float:
        return (self.price_per_kwh or 0.0) / J_PER_KWH
