"""The rules by which clouds price: by memory and time, vCPU and time, hour, token or byte.

A GB is 2^30 bytes and an MB 2^20 wherever these services bill by them. Free allowances are left
out: they are the account's, not the workload's, and a comparison that rests on them ends with
them.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from farm.energy.baselines import Part, Quote, Tokens, Unpriced, Workload

GB: Final = 2**30
MB: Final = 2**20
HOUR_S: Final = 3600.0
DAY_S: Final = 86_400.0
MONTH_S: Final = 365.25 / 12 * DAY_S

_MILLION: Final = 1e6

# A whole number of steps must not become one more by what a division of floats adds to it.
_HAIR: Final = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionRule:
    """A function that is billed by its memory and time, and by the request.

    `mb_per_vcpu` is the memory that comes with one vCPU, where CPU is given by memory; it is
    billed even if the model needs less, for the speed assumption is of a whole vCPU.
    """

    price_per_gb_s: float
    price_per_million_requests: float
    granularity_ms: float
    least_ms: float
    least_memory_mb: float
    memory_step_mb: float
    most_memory_mb: float
    mb_per_vcpu: float | None = None

    def parts(self, work: Workload, cloud_s: float) -> list[Part] | Unpriced:
        memory_mb = self._memory_mb(work.memory_bytes)
        if memory_mb > self.most_memory_mb:
            return _too_large(memory_mb, self.most_memory_mb)
        billed_s = _billed_s(cloud_s, self.granularity_ms, self.least_ms)
        gb_s = work.requests * billed_s * memory_mb * MB / GB
        return [
            Part("compute", gb_s, "GB-s", self.price_per_gb_s),
            _request_fee(work, self.price_per_million_requests),
        ]

    def assumptions(self, work: Workload, cloud_s: float) -> list[str]:
        billed_s = _billed_s(cloud_s, self.granularity_ms, self.least_ms)
        memory_mb = self._memory_mb(work.memory_bytes)
        said = [f"each request is billed {billed_s * 1e3:g} ms of {memory_mb:g} MB"]
        if self.mb_per_vcpu is not None:
            said.append(
                f"{self.mb_per_vcpu:g} MB come with one vCPU; with less memory it takes"
                " longer in proportion, and costs the same"
            )
        return said

    def quote(self, requests_per_s: float) -> Quote | None:
        memory_mb = self._memory_mb(0)
        if memory_mb > self.most_memory_mb:
            return None
        price_per_s = memory_mb * MB / GB * self.price_per_gb_s
        fee = self.price_per_million_requests / _MILLION
        step_ms, least_ms = self.granularity_ms, self.least_ms
        return lambda cloud_s, _: fee + _billed_s(cloud_s, step_ms, least_ms) * price_per_s

    def _memory_mb(self, needed_bytes: int) -> float:
        needed = max(needed_bytes / MB, self.least_memory_mb, self.mb_per_vcpu or 0.0)
        return _rounded_up(needed, self.memory_step_mb)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerRule:
    """A container that is billed by vCPU and memory while it answers, and by the request."""

    price_per_vcpu_s: float
    price_per_gb_s: float
    price_per_million_requests: float
    granularity_ms: float
    least_memory_mb: float
    most_memory_mb: float

    def parts(self, work: Workload, cloud_s: float) -> list[Part] | Unpriced:
        memory_mb = self._memory_mb(work.memory_bytes)
        if memory_mb > self.most_memory_mb:
            return _too_large(memory_mb, self.most_memory_mb)
        seconds = work.requests * _billed_s(cloud_s, self.granularity_ms, 0.0)
        return [
            Part("compute", seconds, "vCPU-s", self.price_per_vcpu_s),
            Part("memory", seconds * memory_mb * MB / GB, "GB-s", self.price_per_gb_s),
            _request_fee(work, self.price_per_million_requests),
        ]

    def assumptions(self, work: Workload, cloud_s: float) -> list[str]:
        billed_s = _billed_s(cloud_s, self.granularity_ms, 0.0)
        memory_mb = self._memory_mb(work.memory_bytes)
        return [
            f"each request is billed {billed_s * 1e3:g} ms of one vCPU and {memory_mb:g} MB, for"
            " one request at a time has the container;"
            " requests that share one are billed together, and cost less"
        ]

    def quote(self, requests_per_s: float) -> Quote | None:
        memory_mb = self._memory_mb(0)
        if memory_mb > self.most_memory_mb:
            return None
        price_per_s = self.price_per_vcpu_s + memory_mb * MB / GB * self.price_per_gb_s
        fee = self.price_per_million_requests / _MILLION
        step_ms = self.granularity_ms
        return lambda cloud_s, _: fee + _billed_s(cloud_s, step_ms, 0.0) * price_per_s

    def _memory_mb(self, needed_bytes: int) -> float:
        return max(needed_bytes / MB, self.least_memory_mb)


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceRule:
    """Machines that are billed by the hour, busy or not: as many as the load needs, at least one.

    `most_busy_share` is how busy they may be on average before there is one more. Machines that
    earn CPU credits may be busy for `credit_share` of each vCPU; what is above costs
    `price_per_surplus_vcpu_h`.
    """

    price_per_h: float
    vcpus: float
    memory_mb: float
    most_busy_share: float
    credit_share: float | None = None
    price_per_surplus_vcpu_h: float = 0.0

    def parts(self, work: Workload, cloud_s: float) -> list[Part] | Unpriced:
        if work.memory_bytes / MB > self.memory_mb:
            return _too_large(work.memory_bytes / MB, self.memory_mb)
        hours = work.seconds / HOUR_S
        load = _load(work, cloud_s)
        machines = self._machines(load)
        busy_h = load / self.vcpus * hours
        parts = [
            Part("busy hours", busy_h, "h", self.price_per_h),
            Part("idle hours", max(machines * hours - busy_h, 0.0), "h", self.price_per_h),
        ]
        surplus = self._surplus(load, machines)
        if surplus > 0:
            price = self.price_per_surplus_vcpu_h
            parts.append(Part("surplus credits", surplus * hours, "vCPU-h", price))
        return parts

    def assumptions(self, work: Workload, cloud_s: float) -> list[str]:
        load = _load(work, cloud_s)
        machines = self._machines(load)
        count = f"{machines} machine{'s' * (machines != 1)}"
        return [
            f"{count} all the time, {load / (machines * self.vcpus):.2%} busy with requests;"
            f" another one when they would be more than {self.most_busy_share:.0%} busy"
        ]

    def quote(self, requests_per_s: float) -> Quote:
        seconds = 1 / requests_per_s
        hours = seconds / HOUR_S

        def price(cloud_s: float, _: float) -> float:
            load = cloud_s / seconds
            machines = self._machines(load)
            surplus = self._surplus(load, machines) * self.price_per_surplus_vcpu_h
            return (max(machines, load / self.vcpus) * self.price_per_h + surplus) * hours

        return price

    def _machines(self, load: float) -> int:
        """Return how many machines a load of so many vCPUs needs."""
        return max(1, math.ceil(load / (self.vcpus * self.most_busy_share) - _HAIR))

    def _surplus(self, load: float, machines: int) -> float:
        """Return how many vCPUs are busy beyond the credits that so many machines earn."""
        if self.credit_share is None:
            return 0.0
        return max(load - machines * self.vcpus * self.credit_share, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRule:
    """A language model that is billed by the token.

    `input_tokens` and `output_tokens` of a request are a user's word; a workload's go before.
    """

    price_per_million_input: float
    price_per_million_output: float
    input_tokens: float | None = None
    output_tokens: float | None = None

    def parts(self, work: Workload, cloud_s: float) -> list[Part] | Unpriced:
        tokens = self._tokens(work.tokens)
        if tokens is None:
            return Unpriced(
                "it is priced by the token, and nobody said how many tokens a request would be"
            )
        inputs, outputs = (
            count * work.requests / _MILLION for count in (tokens.input, tokens.output)
        )
        return [
            Part("input tokens", inputs, "million", self.price_per_million_input),
            Part("output tokens", outputs, "million", self.price_per_million_output),
        ]

    def assumptions(self, work: Workload, cloud_s: float) -> list[str]:
        tokens = self._tokens(work.tokens)
        if tokens is None:
            return []
        return [
            f"a request is {tokens.input:g} input and {tokens.output:g} output tokens, as a user"
            " said; another model answers, with answers of its own"
        ]

    def quote(self, requests_per_s: float) -> Quote | None:
        tokens = self._tokens(None)
        if tokens is None:
            return None
        inputs = tokens.input * self.price_per_million_input
        price = (inputs + tokens.output * self.price_per_million_output) / _MILLION
        return lambda _cloud_s, _response_bytes: price

    def _tokens(self, said: Tokens | None) -> Tokens | None:
        if said is not None:
            return said
        if self.input_tokens is None or self.output_tokens is None:
            return None
        return Tokens(input=self.input_tokens, output=self.output_tokens)


@dataclass(frozen=True, slots=True, kw_only=True)
class EgressRule:
    """Bytes that leave a cloud for the internet, by the GB, less for more in a month.

    `tiers` are (up to so many GB in a month, price of a GB), the last without end. What comes in
    is free, so it is the answers that cost.
    """

    tiers: tuple[tuple[float, float], ...]

    def parts(self, work: Workload, cloud_s: float) -> list[Part] | Unpriced:
        if not work.response_bytes:
            return []
        months = work.seconds / MONTH_S
        return [
            Part("egress", monthly_gb * months, "GB", price)
            for monthly_gb, price in self._by_tier(work.response_bytes / GB / months)
        ]

    def assumptions(self, work: Workload, cloud_s: float) -> list[str]:
        per_month = MONTH_S / work.seconds / GB
        said = []
        if work.response_bytes:
            gb = work.response_bytes * per_month
            said.append(f"answers leave for the internet, {gb:.4g} GB a month at this rate")
        if work.request_bytes:
            said.append(f"what comes in is free, {work.request_bytes * per_month:.4g} GB a month")
        return said

    def quote(self, requests_per_s: float) -> Quote:
        months = 1 / requests_per_s / MONTH_S
        first_gb, first_price = self.tiers[0]

        def price(_: float, response_bytes: float) -> float:
            gb = response_bytes / GB
            # As nearly always: no tiers to go through.
            if gb <= first_gb * months:
                return gb * first_price
            tiers = self._by_tier(gb / months)
            return sum(monthly_gb * tier_price for monthly_gb, tier_price in tiers) * months

        return price

    def _by_tier(self, monthly_gb: float) -> Iterator[tuple[float, float]]:
        """Return how many GB of a month's are in each tier, and its price."""
        from_gb = 0.0
        for to_gb, price in self.tiers:
            if monthly_gb <= from_gb:
                return
            yield min(monthly_gb, to_gb) - from_gb, price
            from_gb = to_gb


def _billed_s(seconds: float, granularity_ms: float, least_ms: float) -> float:
    """Return what is billed of some seconds: at least one step."""
    milliseconds = _rounded_up(seconds * 1e3, granularity_ms)
    return max(milliseconds, least_ms, granularity_ms) / 1e3


def _rounded_up(value: float, step: float) -> float:
    return math.ceil(value / step - _HAIR) * step


def _load(work: Workload, cloud_s: float) -> float:
    """Return how many vCPUs are busy on average."""
    return work.requests * cloud_s / work.seconds


def _request_fee(work: Workload, price_per_million: float) -> Part:
    return Part("request fee", work.requests / _MILLION, "million", price_per_million)


def _too_large(needed_mb: float, most_mb: float) -> Unpriced:
    return Unpriced(f"it has {most_mb:g} MB of memory at most, and {needed_mb:.0f} MB are needed")
