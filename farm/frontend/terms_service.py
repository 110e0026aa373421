"""The part of `farm.v1.FarmAdmin` that tells under which terms the farm runs."""

from collections.abc import Callable
from typing import TypeAlias

from farm.core.clock import Clock
from farm.core.terms import FarmTerms
from farm.frontend.grpc_types import Context
from farm.frontend.ledger_messages import to_time
from farm.pb import farm_admin_pb2 as pb

# The terms of a time, from one moment to another in Unix seconds.
TermsOf: TypeAlias = Callable[[float, float], FarmTerms]


class TermsService:
    """Methods are named as in the protocol; `handlers.py` finds them by that name."""

    def __init__(self, terms: TermsOf, *, clock: Clock) -> None:
        self._terms = terms
        self._clock = clock

    async def Terms(  # noqa: N802
        self, request: pb.TermsRequest, _context: Context
    ) -> pb.TermsResponse:
        since, until = to_time(request, now_unix_ns=self._clock.unix_ns())
        return to_terms(self._terms(since / 1e9, until / 1e9))


def to_terms(terms: FarmTerms) -> pb.TermsResponse:
    """Return terms as a message."""
    return pb.TermsResponse(
        nodes=terms.nodes,
        currency=terms.currency or "",
        price_per_kwh=terms.price_per_kwh,
        capital_per_s=terms.capital_per_s,
        unpriced_hosts=terms.unpriced_hosts,
        overhead_w=terms.overhead_w,
        grid_gco2e_per_kwh=terms.grid_gco2e_per_kwh,
        grid_source=terms.grid_source,
        embodied_g_per_s=terms.embodied_g_per_s,
        untold_hosts=terms.untold_hosts,
        fx=[
            pb.FxRate(
                sold=rate.sold,
                bought=rate.bought,
                rate=rate.rate,
                day=rate.day.isoformat(),
                source=rate.source,
            )
            for rate in terms.fx
        ],
    )
