"""The terms under which a farm runs, in the farm's own words."""

from datetime import date

from farm.client.fields import known
from farm.core.terms import FarmTerms, FxRate
from farm.pb import farm_admin_pb2 as pb


def of_response(response: pb.TermsResponse) -> FarmTerms:
    """Return a gateway's terms; what it does not know is None.

    Raises:
        ValueError: the day of a rate is no date.
    """
    return FarmTerms(
        nodes=response.nodes,
        currency=response.currency or None,
        price_per_kwh=known(response, "price_per_kwh"),
        capital_per_s=known(response, "capital_per_s"),
        unpriced_hosts=tuple(response.unpriced_hosts),
        overhead_w=response.overhead_w,
        grid_gco2e_per_kwh=known(response, "grid_gco2e_per_kwh"),
        grid_source=response.grid_source,
        embodied_g_per_s=known(response, "embodied_g_per_s"),
        untold_hosts=tuple(response.untold_hosts),
        fx=tuple(
            FxRate(
                sold=rate.sold,
                bought=rate.bought,
                rate=rate.rate,
                day=date.fromisoformat(rate.day),
                source=rate.source,
            )
            for rate in response.fx
        ),
    )
