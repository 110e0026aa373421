"""What measures a host's watts."""

from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from farm.sections.section import Section
from farm.sections.words import Url

# A few readings in each heartbeat, one a second, tell its mean well enough. And what a host
# draws is held from one reading to the next: after half a minute its load may be quite another.
_SHORTEST_S: Final = 0.2
_LONGEST_S: Final = 30.0
# What only a counter tells is known afterwards: later than this, heartbeats have told otherwise.
_LONGEST_OF_COUNTERS_S: Final = 1.0

# The smallest board draws 0.6 W when idle (farm/energy/data/boards.toml); a socket of 16 A gives
# 3.7 kW.
_LEAST_MAX_W: Final = 1.0
_MOST_MAX_W: Final = 4000.0


class MeterType(StrEnum):
    """What tells a host's power; the last three are asked over HTTP."""

    PMIC = "pmic"
    HWMON = "hwmon"
    RAPL = "rapl"
    SHELLY = "shelly"
    TASMOTA = "tasmota"
    HTTP = "http"

    @property
    def has_url(self) -> bool:
        return self in (MeterType.SHELLY, MeterType.TASMOTA, MeterType.HTTP)


class Meter(Section):
    """The meter of one host."""

    type: MeterType
    url: Annotated[Url | None, Field(description="of a meter in the network")] = None
    channel: Annotated[
        int, Field(ge=0, le=63, description="which of several sockets, or sensors, from 0")
    ] = 0
    watts_at: Annotated[
        str | None,
        Field(
            min_length=1, description="http: where in the JSON the watts are, like meter.0.power"
        ),
    ] = None
    interval_s: Annotated[
        float,
        Field(
            ge=_SHORTEST_S, le=_LONGEST_S, description="how often it is asked, if that costs little"
        ),
    ] = 1.0
    max_w: Annotated[
        float | None,
        Field(
            ge=_LEAST_MAX_W,
            le=_MOST_MAX_W,
            description="a reading above it is not believed; by default far above its board's",
        ),
    ] = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.type.has_url != (self.url is not None):
            raise ValueError(
                f"a meter of type {self.type} needs a url"
                if self.type.has_url
                else f"a meter of type {self.type} is part of its host and has no url"
            )
        if (self.type is MeterType.HTTP) != (self.watts_at is not None):
            raise ValueError("watts_at belongs to a meter of type http, which needs it")
        if self.type is MeterType.RAPL and self.interval_s > _LONGEST_OF_COUNTERS_S:
            raise ValueError(
                "a meter of type rapl counts joules, which are known only afterwards: its"
                f" interval_s is {_LONGEST_OF_COUNTERS_S:g} at most"
            )
        return self
