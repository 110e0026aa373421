"""The terms of a farm are the same at both ends of the wire."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.client.terms import of_response
from farm.core.clock import SystemClock
from farm.core.errors import InvalidRequestError
from farm.core.terms import FarmTerms, FxRate
from farm.frontend.terms_service import TermsService, to_terms
from farm.pb import farm_admin_pb2 as pb

known = st.none() | st.floats(min_value=0, max_value=1e9)
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
rates = st.builds(
    FxRate,
    sold=names,
    bought=names,
    rate=st.floats(min_value=1e-9, max_value=1e9),
    day=st.dates(),
    source=names,
)


@settings(deadline=None)
@given(
    st.builds(
        FarmTerms,
        nodes=st.integers(0, 1000),
        currency=st.none() | st.just("EUR"),
        price_per_kwh=known,
        capital_per_s=known,
        unpriced_hosts=st.lists(names, max_size=3).map(tuple),
        overhead_w=st.floats(min_value=0, max_value=1e6),
        grid_gco2e_per_kwh=known,
        grid_source=names,
        embodied_g_per_s=known,
        untold_hosts=st.lists(names, max_size=3).map(tuple),
        fx=st.lists(rates, max_size=3).map(tuple),
    )
)
def test_terms_arrive_as_they_were_sent(terms: FarmTerms) -> None:
    assert of_response(pb.TermsResponse.FromString(to_terms(terms).SerializeToString())) == terms


async def test_prices_are_averaged_over_the_time_that_is_asked_about() -> None:
    asked: list[tuple[float, float]] = []

    def terms(since_s: float, until_s: float) -> FarmTerms:
        asked.append((since_s, until_s))
        return replace(FarmTerms(), currency="EUR")

    service = TermsService(terms, clock=SystemClock())
    request = pb.TermsRequest(since_unix_ns=1_000_000_000, until_unix_ns=61_000_000_000)
    response = await service.Terms(request, None)  # type: ignore[arg-type]
    assert (response.currency, asked) == ("EUR", [(1.0, 61.0)])
    request.since_unix_ns = 62_000_000_000
    with pytest.raises(InvalidRequestError):
        await service.Terms(request, None)  # type: ignore[arg-type]


def test_a_day_is_told_as_iso_8601_has_it() -> None:
    rate = FxRate(sold="USD", bought="EUR", rate=0.9, day=date(2026, 11, 1), source="a bank")
    assert to_terms(FarmTerms(fx=(rate,))).fx[0].day == "2026-11-01"
