"""What a kilowatt-hour costs by weekday and local time."""

import re
from datetime import time
from typing import Annotated, Final, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from farm.energy.tariff import Tariff, TariffPeriod, tariff_problem
from farm.sections.section import Section
from farm.sections.words import FromZero

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY_MINUTES: Final = 24 * 60
_CLOCK = re.compile(r"([01]?[0-9]|2[0-3]):[0-5][0-9]|24:00")


def _weekdays(text: str) -> frozenset[int]:
    """Return the weekdays of a text like `mon-fri` or `sat,sun`; Monday is 0."""
    found = set[int]()
    for part in text.lower().split(","):
        first, dash, last = (word.strip() for word in part.partition("-"))
        if first not in _DAYS or (dash and last not in _DAYS):
            raise ValueError(f"must be days like mon-fri or sat,sun, of {', '.join(_DAYS)}")
        begin = _DAYS.index(first)
        end = _DAYS.index(last) if dash else begin
        found.update((begin + step) % 7 for step in range((end - begin) % 7 + 1))
    return frozenset(found)


def _days(text: str) -> str:
    _weekdays(text)
    return text


def _clock_time(value: object) -> str:
    # YAML 1.1 reads 22:00 without quotes as a number to the base of 60, and 07:00 as text.
    if type(value) is int and 0 <= value <= _DAY_MINUTES:
        return f"{value // 60:02}:{value % 60:02}"
    if not isinstance(value, str) or not _CLOCK.fullmatch(value):
        raise ValueError("must be a time of the day in whole minutes, like 07:00 or 22:30")
    return value.zfill(len("00:00"))


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    # A zone that is not there is a KeyError, one that is a folder or no path something else.
    except (KeyError, ValueError, OSError):
        raise ValueError(
            "must be a zone of the IANA database, like Europe/Berlin (of which Debian's package"
            " tzdata is the copy that is read)"
        ) from None
    return name


ClockTime = Annotated[
    str,
    BeforeValidator(_clock_time),
    WithJsonSchema({"type": "string", "pattern": f"^({_CLOCK.pattern})$"}),
]


class Period(Section):
    """A price from one time of the day to another; past midnight where the end comes first."""

    days: Annotated[
        str, AfterValidator(_days), Field(description="on which it starts: mon-fri or sat,sun")
    ] = "mon-sun"
    start: ClockTime = "00:00"
    end: ClockTime = "24:00"
    price_per_kwh: FromZero

    def period(self) -> TariffPeriod:
        return TariffPeriod(
            price_per_kwh=self.price_per_kwh,
            start=_time(self.start),
            end=_time(self.end),
            weekdays=_weekdays(self.days),
        )


class TimeOfUse(Section):
    """Prices that cover every minute of the week once."""

    timezone: Annotated[
        str, AfterValidator(_zone), Field(description="of the times, like Europe/Berlin")
    ]
    periods: Annotated[tuple[Period, ...], Field(max_length=100)]

    @model_validator(mode="after")
    def _covering(self) -> Self:
        if problem := tariff_problem([each.period() for each in self.periods]):
            raise ValueError(problem)
        return self

    def tariff(self) -> Tariff:
        return Tariff(
            periods=tuple(each.period() for each in self.periods), zone=ZoneInfo(self.timezone)
        )


def _time(clock: str) -> time:
    return time() if clock == "24:00" else time.fromisoformat(clock)
