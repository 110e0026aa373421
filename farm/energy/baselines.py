"""What the same requests would cost in a cloud, by its own rules of pricing."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final, Protocol, TypeAlias

from farm.core.energy import EnergySource
from farm.energy.cores import REFERENCE

STALE_AFTER_DAYS: Final = 180


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """How many tokens a request would be to a language model, on average."""

    input: float
    output: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """Requests of a period of `seconds`, and what all of them took together.

    `compute_s` are seconds of the reference core (`farm.energy.cores`): a batch's seconds times
    its threads, over what a core of that board takes longer. `memory_bytes` is what a process
    needs that serves them, 0 where that is not known. Tokens are per request, and nobody's
    guess: None unless a user said how many.
    """

    requests: float
    seconds: float
    compute_s: float
    memory_bytes: int = 0
    request_bytes: float = 0.0
    response_bytes: float = 0.0
    tokens: Tokens | None = None

    def at(self, requests: float, seconds: float) -> "Workload":
        """Return requests like these, so many of them in so many seconds."""
        factor = requests / self.requests if self.requests else 0.0
        return Workload(
            requests=requests,
            seconds=seconds,
            compute_s=self.compute_s * factor,
            memory_bytes=self.memory_bytes,
            request_bytes=self.request_bytes * factor,
            response_bytes=self.response_bytes * factor,
            tokens=self.tokens,
        )


@dataclass(frozen=True, slots=True)
class Part:
    """One line of a bill: so many units at a price each."""

    what: str
    quantity: float
    unit: str
    unit_price: float

    @property
    def amount(self) -> float:
        return self.quantity * self.unit_price


@dataclass(frozen=True, slots=True)
class Unpriced:
    """Why a baseline has no price for a workload."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselinePrice:
    """What a baseline asks for a workload, part by part, in `currency`."""

    baseline: str
    currency: str
    requests: float
    parts: tuple[Part, ...]
    assumptions: tuple[str, ...]

    @property
    def total(self) -> float:
        return sum(part.amount for part in self.parts)

    @property
    def per_request(self) -> float | None:
        """The price of one request; None where there was none."""
        return self.total / self.requests if self.requests else None

    @property
    def per_1000(self) -> float | None:
        """The price of a thousand requests; None where there was none."""
        return None if self.per_request is None else self.per_request * 1000


# The price of one request by its seconds of compute and the bytes of its answer.
Quote: TypeAlias = Callable[[float, float], float]


class PricingRule(Protocol):
    """How a service prices. `cloud_s` are a request's seconds on one vCPU there."""

    def parts(self, work: Workload, cloud_s: float) -> list[Part] | Unpriced:
        """Return the lines of the bill, or why there is none."""
        ...

    def assumptions(self, work: Workload, cloud_s: float) -> list[str]:
        """Return in words what is taken for granted; the workload has a price."""
        ...

    def quote(self, requests_per_s: float) -> Quote | None:
        """Return what `parts` come to for one request of so many a second, by its `cloud_s`.

        Nothing is known of its memory and tokens. None is for what has no price then.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """A vCPU's time for a request is `factor` times that of the reference core.

    `basis` is MEASURED or ASSUMED, and `note` tells of which and why.
    """

    factor: float
    basis: EnergySource
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """A service to compare with: its prices on the day `read`, where they were read, its rule.

    `speed` is None for what is not priced by time. `egress` prices what leaves for the internet.
    """

    name: str
    provider: str
    service: str
    region: str
    currency: str
    read: date
    source: str
    rule: PricingRule
    speed: Speed | None = None
    egress: PricingRule | None = None
    leaves_out: str = ""

    def age_days(self, today: date) -> int:
        """Return how old its prices are."""
        return (today - self.read).days

    def stale(self, today: date) -> bool:
        """Return whether its prices are too old to be trusted without a word."""
        return self.age_days(today) > STALE_AFTER_DAYS


def price(baseline: Baseline, work: Workload) -> BaselinePrice | Unpriced:
    """Return what a baseline asks for a workload, or why it has no price for it."""
    cloud_s = _cloud_s(baseline, work)
    parts = _parts(baseline, work, cloud_s)
    if isinstance(parts, Unpriced):
        return parts
    return BaselinePrice(
        baseline=baseline.name,
        currency=baseline.currency,
        requests=work.requests,
        parts=tuple(parts),
        assumptions=tuple(_assumptions(baseline, work, cloud_s)),
    )


def total_price(baseline: Baseline, work: Workload) -> float | None:
    """Return the total alone of what `price` returns; None if it has no price.

    It is in the baseline's currency, and nothing is put into words.
    """
    parts = _parts(baseline, work, _cloud_s(baseline, work))
    if isinstance(parts, Unpriced):
        return None
    return sum(part.quantity * part.unit_price for part in parts)


def quote(baseline: Baseline, requests_per_s: float) -> Quote | None:
    """Return what a baseline asks for one request of so many a second, if all were like it.

    That is the total of `price`, by seconds of the reference core, for a workload of whose memory
    and tokens nothing is known. Receipts ask for it: all that their requests have in common is
    reckoned here already. None if it has no price.
    """
    if requests_per_s <= 0:
        return None
    rule = baseline.rule.quote(requests_per_s)
    if rule is None:
        return None
    factor = baseline.speed.factor if baseline.speed is not None else 0.0
    egress = baseline.egress.quote(requests_per_s) if baseline.egress is not None else None
    if egress is None:
        return lambda compute_s, response_bytes: rule(compute_s * factor, response_bytes)
    return lambda compute_s, response_bytes: (
        rule(compute_s * factor, response_bytes) + egress(0.0, response_bytes)
    )


def _cloud_s(baseline: Baseline, work: Workload) -> float:
    """Return the seconds of a request on one vCPU, on average."""
    if baseline.speed is None or not work.requests:
        return 0.0
    return work.compute_s / work.requests * baseline.speed.factor


def _parts(baseline: Baseline, work: Workload, cloud_s: float) -> list[Part] | Unpriced:
    parts = baseline.rule.parts(work, cloud_s)
    if isinstance(parts, Unpriced) or baseline.egress is None:
        return parts
    egress = baseline.egress.parts(work, cloud_s)
    return egress if isinstance(egress, Unpriced) else parts + egress


def _assumptions(baseline: Baseline, work: Workload, cloud_s: float) -> Iterator[str]:
    speed = baseline.speed
    if speed is not None:
        yield (
            f"a request takes one vCPU {cloud_s * 1e3:.4g} ms, {speed.factor:g} times what it takes"
            f" {REFERENCE} ({speed.basis}: {speed.note})"
        )
    yield from baseline.rule.assumptions(work, cloud_s)
    if speed is not None and not work.memory_bytes:
        yield "how much memory it needs is not known, and taken to be as little as can be had"
    if baseline.egress is not None:
        yield from baseline.egress.assumptions(work, cloud_s)
    if baseline.leaves_out:
        yield f"left out: {baseline.leaves_out}"
