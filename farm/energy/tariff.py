"""What a kilowatt-hour costs: always the same, or by weekday and local time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, tzinfo
from typing import Final

J_PER_KWH: Final = 3_600_000.0

_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
EVERY_DAY: Final = frozenset(range(7))


@dataclass(frozen=True, slots=True, kw_only=True)
class TariffPeriod:
    """A price from one local time to another, on some weekdays (Monday is 0).

    One that ends when or before it starts goes on until that time of the next day. Times are
    of whole minutes; the minute `end` is not part of it.
    """

    price_per_kwh: float
    start: time = time(0)
    end: time = time(0)
    weekdays: frozenset[int] = EVERY_DAY

    def holds(self, weekday: int, minute: int) -> bool:
        """Return whether it covers a minute of a weekday."""
        start, end = _minute(self.start), _minute(self.end)
        if start < end:
            return weekday in self.weekdays and start <= minute < end
        begun_today = weekday in self.weekdays and minute >= start
        begun_yesterday = (weekday - 1) % 7 in self.weekdays and minute < end
        return begun_today or begun_yesterday


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """Prices of a week of local time, in the farm's currency.

    The periods cover every minute once; `tariff_problem` tells. Where clocks are put back an
    hour is priced twice alike, and where they are put forward it is skipped, as on a bill.
    """

    periods: tuple[TariffPeriod, ...]
    zone: tzinfo = UTC

    @classmethod
    def flat(cls, price_per_kwh: float) -> "Tariff":
        """Return a tariff that is always the same."""
        return cls(periods=(TariffPeriod(price_per_kwh=price_per_kwh),))

    def price_per_kwh(self, unix_s: float) -> float:
        """Return what a kilowatt-hour costs at a moment."""
        if len(self.periods) == 1:
            return self.periods[0].price_per_kwh
        local = datetime.fromtimestamp(unix_s, self.zone)
        weekday, minute = local.weekday(), _minute(local.time())
        return next(p.price_per_kwh for p in self.periods if p.holds(weekday, minute))

    def price_per_j(self, unix_s: float) -> float:
        """Return what a joule costs at a moment."""
        return self.price_per_kwh(unix_s) / J_PER_KWH


def tariff_problem(periods: Sequence[TariffPeriod]) -> str | None:
    """Return why these are no tariff, or None if they are one.

    A price may be 0 but not less: there are hours in which power is free, and in those in
    which it is less than free the farm would be paid for waste.
    """
    for period in periods:
        if not 0 <= period.price_per_kwh < float("inf"):
            return f"price_per_kwh is {period.price_per_kwh:g} and must be 0 or more"
        if not period.weekdays <= EVERY_DAY or not period.weekdays:
            return "a period needs weekdays, from Monday (0) to Sunday (6)"
        if any(t.second or t.microsecond or t.tzinfo for t in (period.start, period.end)):
            return "a period starts and ends at whole minutes of local time, like 22:30"
    # What holds does not change between these minutes of a day.
    minutes = {0} | {_minute(t) for period in periods for t in (period.start, period.end)}
    for weekday in range(7):
        for minute in sorted(minutes):
            prices = sum(period.holds(weekday, minute) for period in periods)
            if prices != 1:
                found = f"are {prices} prices" if prices else "is no price"
                at = f"{_DAYS[weekday]} {minute // 60:02}:{minute % 60:02}"
                return f"there {found} at {at}, and every minute of the week needs one"
    return None


def _minute(moment: time) -> int:
    return moment.hour * 60 + moment.minute
