"""What power costs, what it emits, and with what that is compared."""

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import Field, model_validator

from farm.energy.baselines import Baseline
from farm.energy.carbon import Grid
from farm.energy.catalogue import Catalogue
from farm.energy.economics import Economics, HostEconomics
from farm.energy.fx import Exchange
from farm.energy.tariff import Tariff
from farm.sections.catalogue import read_catalogue
from farm.sections.fx import FxEntries, exchange
from farm.sections.section import Section
from farm.sections.tariff import TimeOfUse
from farm.sections.words import Currency, FromZero, HomePath, Said


class GridIntensity(Section):
    """What a kilowatt-hour emits where the farm is; there is no default, as grids differ so."""

    gco2e_per_kwh: FromZero
    source: Annotated[Said, Field(description="where the figure was read, and of which year")]

    def grid(self) -> Grid:
        return Grid(gco2e_per_kwh=self.gco2e_per_kwh, source=self.source)


class Power(Section):
    """What power and boards cost."""

    currency: Annotated[Currency | None, Field(description="of every price here")] = None
    price_per_kwh: Annotated[FromZero | None, Field(description="at all times")] = None
    tariff: Annotated[
        TimeOfUse | None, Field(description="in place of price_per_kwh, where it is not")
    ] = None
    overhead_w: Annotated[
        FromZero, Field(description="of what no host's meter sees: switch, supplies, fans")
    ] = 0.0
    grid: GridIntensity | None = None
    fx: Annotated[
        FxEntries, Field(description="rates by which baselines are converted, and by no others")
    ] = ()
    baseline: Annotated[
        Said | None, Field(description="the one in receipts, by its name in `farm baselines ls`")
    ] = "aws-lambda-arm64"
    baselines: Annotated[
        HomePath | None, Field(description="a TOML file of your own baselines")
    ] = None

    @model_validator(mode="after")
    def _priced(self) -> Self:
        if self.price_per_kwh is not None and self.tariff is not None:
            raise ValueError("price_per_kwh and tariff exclude each other; leave one out")
        for key in ("price_per_kwh", "tariff"):
            if getattr(self, key) is not None and self.currency is None:
                raise ValueError(f"{key} needs a currency, like EUR")
        return self

    def prices(self) -> Tariff | None:
        """Return what a kilowatt-hour costs at which time; None where nobody said."""
        if self.tariff is not None:
            return self.tariff.tariff()
        return None if self.price_per_kwh is None else Tariff.flat(self.price_per_kwh)

    def economics(self, hosts: Mapping[str, HostEconomics]) -> Economics:
        """Return all of it as the accounting sees it, with what each node's host is."""
        prices = self.prices()
        return Economics(
            currency=self.currency,
            tariff=None if prices is None else prices.price_per_j,
            overhead_w=self.overhead_w,
            hosts=hosts,
        )

    def exchange(self) -> Exchange:
        """Return the rates between currencies, which are the operator's alone."""
        return exchange(self.fx)

    def catalogue(self) -> Catalogue:
        """Return the package's baselines with the operator's own, whose file is read.

        Raises:
            ConfigurationError: the file cannot be read or is no catalogue; the message names it.
        """
        return read_catalogue(self.baselines)

    def receipt_baseline(self) -> Baseline | None:
        """Return the baseline of receipts; None where the operator wants none in them.

        Raises:
            ConfigurationError: there is none of that name, or as `catalogue`.
        """
        return None if self.baseline is None else self.catalogue().baseline(self.baseline)
