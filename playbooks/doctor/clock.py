"""The check of a host's clock."""

from collections.abc import Iterator
from datetime import UTC, datetime

from playbooks.doctor.check import Check, Subject, Verdict, error, ok, unknown, warning
from playbooks.facts.clock import TIME_SYNC, Clock

# Logs of two hosts are put side by side by the second.
_OFF_S = 2.0
# Certificates are good from a day before they were made (`farm.pki`); a clock that is off by
# an hour is nobody's, and the next power cut takes it further.
_BROKEN_S = 3600.0

_FOLLOW = "let it follow a time server: `sudo timedatectl set-ntp true`"
_INSTALL = "install systemd-timesyncd or chrony, so that it follows a time server"
_OWN_SERVER = (
    "where there is no internet, name one of your network in /etc/systemd/timesyncd.conf (`NTP=`)"
)


def _clock(subject: Subject) -> Iterator[Verdict]:
    clock, sync, at = subject.clock, subject.facts[TIME_SYNC], subject.host
    if clock.time_s is None:
        yield unknown("what time it is")
        return
    fix = f"{_INSTALL if sync.possible is False else _FOLLOW}; {_OWN_SERVER}"
    if clock.is_off_by(_BROKEN_S):
        yield error(
            f"its clock says {_said(clock.time_s)}, {_how_far(clock)}: certificates are not yet or"
            " no longer good there, and nobody would trust it",
            f"{fix}; by hand: `ssh {at.user}@{at.address} sudo date -s @$(date +%s)`",
        )
    elif clock.is_off_by(_OFF_S):
        yield warning(
            f"its clock is {_how_far(clock)}: logs of two hosts do not fit together",
            fix,
        )
    elif sync.synchronised is False:
        after = " and it starts in the past after every power cut" if sync.clocks == 0 else ""
        yield warning(
            f"its clock is right, but follows no time server: it drifts by seconds a day{after}",
            fix,
        )
    else:
        yield ok(f"right within {abs(clock.ahead_s) + clock.uncertainty_s:.1f} s")


def _said(time_s: float) -> str:
    try:
        return datetime.fromtimestamp(time_s, tz=UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError, OSError):
        return f"{time_s:.0f} s since 1970"


def _how_far(clock: Clock) -> str:
    off_s = abs(clock.ahead_s)
    days, hours = off_s / 86_400, off_s / 3600
    length = (
        f"{days:.0f} days" if days >= 2 else f"{hours:.1f} h" if hours >= 2 else f"{off_s:.1f} s"
    )
    return f"{length} {'ahead of' if clock.ahead_s > 0 else 'behind'} this machine"


CLOCKS = (Check(name="clock", reads=(TIME_SYNC,), judge=_clock),)
