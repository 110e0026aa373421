"""Workloads: when requests come and what they ask for, from seeded chance."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import inf, pi, sin
from random import Random

from farm.sim.setup import Arrival, RequestPlan, stream

Rate = Callable[[float], float]


@dataclass(frozen=True, slots=True)
class Mix:
    """Kinds of requests and how often each comes, beside the others."""

    plans: Sequence[RequestPlan]
    shares: Sequence[float]

    def draw(self, random: Random) -> Callable[[], RequestPlan]:
        """Return a function that draws one request after the other."""
        plans, bounds = self.plans, list(accumulate(self.shares))
        if len(plans) == 1:
            return lambda: plans[0]
        last = len(plans) - 1
        return lambda: plans[min(bisect_right(bounds, random.random() * bounds[-1]), last)]


@dataclass(frozen=True, slots=True)
class Until:
    """When a workload ends: after so many requests, or at a time."""

    requests: float = inf
    at: float = inf


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPlan:
    """A Poisson process whose rate, in requests per second, may change with time.

    `peak` is the highest rate. Requests are drawn at the peak and thinned out (Lewis and
    Shedler 1979).
    """

    rate: Rate
    peak: float
    mix: Mix
    until: Until

    def begin(self, seed: int) -> "OpenWorkload":
        return OpenWorkload(self, seed)


def constant(mean: float) -> tuple[Rate, float]:
    """Return a rate that does not change, and its peak."""
    return (lambda _: mean), mean


def bursts(mean: float, *, on_s: float, off_s: float, peak: float) -> tuple[Rate, float]:
    """Return a rate of `peak` times the mean for `on_s`, then what is left for `off_s`."""
    high = mean * peak
    low = max(mean * (on_s + off_s) - high * on_s, 0.0) / off_s
    return (lambda at: high if at % (on_s + off_s) < on_s else low), high


def diurnal(mean: float, *, period_s: float, swing: float) -> tuple[Rate, float]:
    """Return a rate that rises from its mean at time 0 and falls again, like a day."""
    return (lambda at: mean * (1 + swing * sin(2 * pi * at / period_s))), mean * (1 + swing)


class OpenWorkload:
    """Requests that come whether or not others are done."""

    def __init__(self, plan: OpenPlan, seed: int) -> None:
        self._plan = plan
        self._random = stream(seed, "arrivals")
        self._draw = plan.mix.draw(stream(seed, "mix"))
        self._at = 0.0
        self._count = 0

    def first(self) -> Iterator[Arrival]:
        arrival = self.after_arrival()
        if arrival is not None:
            yield arrival

    def after_arrival(self) -> Arrival | None:
        plan, random = self._plan, self._random
        if self._count >= plan.until.requests:
            return None
        while True:
            self._at += random.expovariate(plan.peak)
            rate = plan.rate(self._at)
            if rate >= plan.peak or random.random() * plan.peak < rate:
                break
            if self._at > plan.until.at:
                return None
        if self._at > plan.until.at:
            return None
        self._count += 1
        return Arrival(self._at, self._draw())

    def after_reply(self, now: float, retry_after_s: float) -> Arrival | None:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedPlan:
    """Callers who wait for each answer and think, `think_s` on average, before they go on."""

    callers: int
    think_s: float
    mix: Mix
    until: Until

    def begin(self, seed: int) -> "ClosedWorkload":
        return ClosedWorkload(self, seed)


class ClosedWorkload:
    """So many requests under way, never more."""

    def __init__(self, plan: ClosedPlan, seed: int) -> None:
        self._plan = plan
        self._random = stream(seed, "arrivals")
        self._draw = plan.mix.draw(stream(seed, "mix"))
        self._count = 0

    def first(self) -> Iterator[Arrival]:
        for _ in range(self._plan.callers):
            arrival = self._next(0.0)
            if arrival is not None:
                yield arrival

    def after_arrival(self) -> Arrival | None:
        return None

    def after_reply(self, now: float, retry_after_s: float) -> Arrival | None:
        return self._next(now + retry_after_s)

    def _next(self, earliest: float) -> Arrival | None:
        plan = self._plan
        think_s = self._random.expovariate(1 / plan.think_s) if plan.think_s else 0.0
        at = earliest + think_s
        if self._count >= plan.until.requests or at > plan.until.at:
            return None
        self._count += 1
        return Arrival(at, self._draw())


@dataclass(frozen=True, slots=True)
class ReplayPlan:
    """Requests as they came once, in order of time."""

    arrivals: Sequence[Arrival]
    until: Until

    def begin(self, seed: int) -> "ReplayWorkload":
        return ReplayWorkload(self)


class ReplayWorkload:
    """The same requests again, at the same times, whatever the seed."""

    def __init__(self, plan: ReplayPlan) -> None:
        self._arrivals = iter(plan.arrivals)
        self._until = plan.until
        self._count = 0

    def first(self) -> Iterator[Arrival]:
        arrival = self.after_arrival()
        if arrival is not None:
            yield arrival

    def after_arrival(self) -> Arrival | None:
        arrival = next(self._arrivals, None)
        if arrival is None or arrival.at > self._until.at or self._count >= self._until.requests:
            return None
        self._count += 1
        return arrival

    def after_reply(self, now: float, retry_after_s: float) -> Arrival | None:
        return None
