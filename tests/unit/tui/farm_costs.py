"""An operator whose ledger has a day of a farm, for tests of what it cost."""

from dataclasses import dataclass, field, replace
from datetime import date

from farm.core.errors import FarmError
from farm.core.ledger import (
    GroupBy,
    LedgerAnswer,
    LedgerFigures,
    LedgerQuery,
    RequestCounts,
    Usage,
)
from farm.core.terms import FarmTerms, FxRate

NOW_NS = 1_795_000_000_000_000_000
DAY_S = 86_400

# 10 W for a day at 0.36 EUR a kilowatt-hour are 0.0864; the boards' time costs 0.1728.
DAY = LedgerFigures(
    start_unix_ns=NOW_NS - DAY_S * 1_000_000_000,
    key="",
    window_s=DAY_S,
    batches=50_000,
    rows=100_000,
    usage=Usage(
        joules=864_000, low_j=800_000, high_j=1_000_000, measured_j=600_000, modelled_j=264_000,
        marginal_j=100_000, node_s=17_280, reference_s=70_000, cost=0.2592, power_cost=0.0864,
    ),
    wasted=Usage(joules=8_640, modelled_j=8_640, reference_s=1_000, cost=0.002),
    idle=Usage(joules=86_400, measured_j=86_400, cost=0.02),
    counts=RequestCounts(
        answered=1_000_000, failed={"queue_full": 300}, request_bytes=300_000_000,
        response_bytes=4_000_000, latency_s=1_000.0, latencies=[0] * 8 + [1_000_000] + [0] * 21,
    ),
)  # fmt: skip
TERMS = FarmTerms(
    nodes=2, currency="EUR", price_per_kwh=0.36, capital_per_s=2e-6, overhead_w=2.0,
    grid_gco2e_per_kwh=350.0, grid_source="the grid's operator", embodied_g_per_s=1e-4,
    fx=(FxRate(sold="USD", bought="EUR", rate=0.9, day=date(2026, 11, 1), source="a bank"),),
)  # fmt: skip


def _share(usage: Usage, share: float) -> Usage:
    """Return a share of what was used."""
    return replace(
        usage,
        **{
            name: value * share
            for name in Usage.__dataclass_fields__
            if (value := getattr(usage, name)) is not None
        },
    )


def steps(day: LedgerFigures, count: int) -> tuple[LedgerFigures, ...]:
    """A day in steps, the later ones busier."""
    shares = [2 * (number + 1) / (count * (count + 1)) for number in range(count)]
    length_ns = DAY_S * 1_000_000_000 // count
    return tuple(
        replace(
            day,
            start_unix_ns=day.start_unix_ns + number * length_ns,
            window_s=DAY_S / count,
            usage=_share(day.usage, share),
            wasted=_share(day.wasted, share),
            idle=Usage(),
            counts=RequestCounts(answered=round(1_000_000 * share)),
        )
        for number, share in enumerate(shares)
    )


@dataclass
class Books:
    """An operator that can be asked of money alone; `asked` are the queries.

    In the steps that are `off` the gateway did not run.
    """

    day: LedgerFigures | None = DAY
    terms_told: FarmTerms = TERMS
    error: FarmError | None = None
    off: range = range(0)
    asked: list[LedgerQuery] = field(default_factory=list)

    def ledger(self, query: LedgerQuery) -> LedgerAnswer:
        self.asked.append(query)
        if self.error is not None:
            raise self.error
        figures: tuple[LedgerFigures, ...] = ()
        if self.day is not None and query.group is GroupBy.TOTAL:
            figures = self._steps(self.day, query.step_s) if query.step_s else (self.day,)
        return LedgerAnswer(
            figures=figures,
            incidents=(),
            currency=self.terms_told.currency if self.day else None,
            begins_unix_ns=DAY.start_unix_ns if self.day else None,
            size_bytes=1,
            drops=0,
        )

    def _steps(self, day: LedgerFigures, step_s: int) -> tuple[LedgerFigures, ...]:
        every = steps(day, max(DAY_S // step_s, 1))
        return tuple(each for number, each in enumerate(every) if number not in self.off)

    def terms(self, since_unix_ns: int, until_unix_ns: int = 0) -> FarmTerms:
        if self.error is not None:
            raise self.error
        return self.terms_told
