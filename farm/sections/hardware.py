"""A host as a machine that draws power and was bought."""

from typing import Annotated

from pydantic import Field

from farm.energy.economics import HostEconomics
from farm.sections.meter import Meter
from farm.sections.section import Section
from farm.sections.words import BoardId, FromZero, Years


class Hardware(Section):
    """What board a host is, what measures it, and what its making and its having cost."""

    board: Annotated[
        BoardId | None, Field(description="like rpi5-8gb; without one the host is asked")
    ] = None
    meter: Annotated[
        Meter | None,
        Field(description="of its watts; without one what the host itself has, or a model"),
    ] = None
    board_price: Annotated[
        FromZero | None, Field(description="in the farm's currency, with supply, card and case")
    ] = None
    lifetime_years: Annotated[
        Years, Field(description="over which board_price and embodied_kgco2e are spread")
    ] = 4.0
    embodied_kgco2e: Annotated[
        FromZero | None, Field(description="greenhouse gas of making it, in kg of CO2")
    ] = None

    def economics(self, host: str = "", *, serves: bool = True) -> HostEconomics:
        """Return it as the accounting sees it; without a name the host says its own."""
        return HostEconomics(
            host=host,
            board=self.board or "",
            price=self.board_price,
            lifetime_years=self.lifetime_years,
            embodied_kgco2e=self.embodied_kgco2e,
            meter_max_w=None if self.meter is None else self.meter.max_w,
            serves=serves,
        )
