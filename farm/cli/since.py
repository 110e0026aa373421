"""From when on: `90m`, `24h`, `7d`, or a date and time."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import typer

from farm.core.errors import ConfigurationError

Since = Annotated[
    str,
    typer.Option(
        "--since",
        metavar="TIME",
        help="How far back, as in 90m, 24h or 7d, or from when on, as in 2026-11-22 or"
        " 2026-11-22T08:30; without a zone in this machine's.",
    ),
]

_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def since_unix_ns(text: str, *, now: datetime, option: str = "--since") -> int:
    """Return the moment that an option names; `now` has a zone, which is that of times without.

    Raises:
        ConfigurationError: it is no time, or one that is still to come.
    """
    try:
        if (back := re.fullmatch(r"(\d{1,9})([mhdw])", text.strip())) is not None:
            moment = now - timedelta(**{_UNITS[back[2]]: int(back[1])})
        else:
            moment = datetime.fromisoformat(text.strip())
            moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=now.tzinfo)
        since = (moment - _EPOCH) // timedelta(microseconds=1) * 1_000
    except (ValueError, OverflowError) as error:
        raise ConfigurationError(
            f"{option} {text!r} is no time; write how far back, as in 90m, 24h or 7d, or a date"
            " and time, as in 2026-11-22T08:30"
        ) from error
    if moment > now:
        raise ConfigurationError(f"{option} {text} is still to come")
    return max(since, 0)


def local_now() -> datetime:
    """Return the present moment in this machine's zone."""
    return datetime.now().astimezone()
