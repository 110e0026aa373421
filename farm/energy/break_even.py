"""How many requests a day make a farm cheaper than a baseline, or dearer."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

# Points of a chart, spread evenly over the powers of ten between one request and all. A baseline
# that goes up in steps is looked at no closer.
_POINTS: Final = 200

_REFINEMENTS: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class FarmCost:
    """What a farm costs: so much a day whatever it does, so much a request, so many at most."""

    fixed_per_day: float
    per_request: float
    most_per_day: float

    def per_day(self, requests: float) -> float:
        """Return what a day of so many requests costs."""
        return self.fixed_per_day + self.per_request * requests


@dataclass(frozen=True, slots=True)
class DayCosts:
    """What a day of so many requests costs here and there, in one currency."""

    requests: float
    farm: float
    baseline: float

    @property
    def farm_is_cheaper(self) -> bool:
        return self.farm <= self.baseline


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakEven:
    """Where a farm is the cheaper one: spans of requests a day, and the points of a chart.

    A span ends at the farm's capacity if the farm is the cheaper one up to there.
    """

    cheaper: tuple[tuple[float, float], ...]
    points: tuple[DayCosts, ...]

    @property
    def always(self) -> bool:
        """Whether the farm is cheaper however few or many ask."""
        return all(point.farm_is_cheaper for point in self.points)

    @property
    def never(self) -> bool:
        """Whether it is cheaper at no rate that it can serve."""
        return not self.cheaper

    @property
    def said(self) -> str:
        """The answer in words."""
        most = self.points[-1].requests
        if self.always:
            return f"always, up to the farm's {most:,.0f} requests a day"
        if self.never:
            return f"never, not even at the farm's {most:,.0f} requests a day"
        return " and ".join(_span(low, high, most) for low, high in self.cheaper)


def break_even(
    farm: FarmCost, baseline_per_day: Callable[[float], float | None]
) -> BreakEven | None:
    """Return where a farm costs no more than `baseline_per_day` asks for so many requests.

    Both are in one currency; None where the baseline has no price. A farm that can serve less
    than one request a day is taken to serve one.
    """

    def costs(requests: float) -> DayCosts:
        baseline = baseline_per_day(requests)
        return DayCosts(requests, farm.per_day(requests), 0.0 if baseline is None else baseline)

    if baseline_per_day(1.0) is None:
        return None
    most = max(farm.most_per_day, 1.0)
    points = [costs(most ** (step / (_POINTS - 1))) for step in range(_POINTS)]
    spans: list[tuple[float, float]] = []
    begun = points[0].requests if points[0].farm_is_cheaper else None
    for before, after in pairwise(points):
        if before.farm_is_cheaper == after.farm_is_cheaper:
            continue
        crossing = _crossing(costs, before, after)
        if begun is None:
            begun = crossing
        else:
            spans.append((begun, crossing))
            begun = None
    if begun is not None:
        spans.append((begun, points[-1].requests))
    return BreakEven(cheaper=tuple(spans), points=tuple(points))


def _crossing(costs: Callable[[float], DayCosts], before: DayCosts, after: DayCosts) -> float:
    """Return the requests a day between two points at which the other one becomes cheaper."""
    low, high = before.requests, after.requests
    for _ in range(_REFINEMENTS):
        middle = (low + high) / 2
        if costs(middle).farm_is_cheaper == before.farm_is_cheaper:
            low = middle
        else:
            high = middle
    return high


def _span(low: float, high: float, most: float) -> str:
    if high >= most:
        return f"from {low:,.0f} requests a day"
    return f"up to {high:,.0f} requests a day" if low <= 1 else f"from {low:,.0f} to {high:,.0f}"
