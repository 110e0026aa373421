"""`--since`: how far back, or a moment."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.cli.since import since_unix_ns
from farm.core.errors import ConfigurationError

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=timezone(timedelta(hours=1)))


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("90m", "2026-11-22T09:30:00Z"),
        ("24h", "2026-11-21T11:00:00Z"),
        ("7d", "2026-11-15T11:00:00Z"),
        (" 2w ", "2026-11-08T11:00:00Z"),
        ("0m", "2026-11-22T11:00:00Z"),
        ("2026-11-22", "2026-11-21T23:00:00Z"),
        ("2026-11-22T08:30", "2026-11-22T07:30:00Z"),
        ("2026-11-22 08:30:01.5", "2026-11-22T07:30:01.5Z"),
        ("2026-11-22T08:30:00Z", "2026-11-22T08:30:00Z"),
        ("2026-11-22T08:30:00-05:00", None),
        ("0001-01-01", "1970-01-01T00:00:00Z"),
    ],
)
def test_times(text: str, moment: str | None) -> None:
    if moment is None:
        with pytest.raises(ConfigurationError, match="still to come"):
            since_unix_ns(text, now=NOW)
    else:
        expected = datetime.fromisoformat(moment).timestamp()
        assert since_unix_ns(text, now=NOW) == round(expected * 1e9)


@pytest.mark.parametrize(
    "text", ["", "h", "24", "24 h", "-1h", "1.5h", "24H", "yesterday", "2026-13-01", "999999999w"]
)
def test_what_is_no_time_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"24h or 7d"):
        since_unix_ns(text, now=NOW)


@settings(deadline=None)
@given(st.text(max_size=30))
def test_any_text_is_a_moment_until_now_or_refused(text: str) -> None:
    try:
        moment = since_unix_ns(text, now=NOW)
    except ConfigurationError:
        return
    assert 0 <= moment <= NOW.astimezone(UTC).timestamp() * 1e9
