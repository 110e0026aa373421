"""What measures a host's watts."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from farm.sections.section import Section
from farm.sections.words import Url


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
        return self
