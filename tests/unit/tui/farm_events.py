"""Events for tests of the screen."""

from farm_readings import BEGINS, SECOND

from farm.core.events import EventKind, FarmEvent, Severity


def event(
    number: int = 1,
    *,
    kind: str = EventKind.NODE_READY,
    severity: Severity = Severity.INFO,
    subject: str = "pi-01",
    detail: str = "",
) -> FarmEvent:
    """An event so many seconds after the first snapshot."""
    return FarmEvent(
        number=number,
        unix_ns=BEGINS + number * SECOND,
        kind=kind,
        severity=severity,
        subject=subject,
        detail=detail,
    )


def many(count: int, first: int = 1) -> list[FarmEvent]:
    """Events of each kind and severity in turn, of twenty nodes."""
    kinds, severities = list(EventKind), list(Severity)
    return [
        event(
            number,
            kind=kinds[number % len(kinds)],
            severity=severities[number % len(severities)],
            subject=f"pi-{number % 20:02}",
            detail=f"for the {number}th time",
        )
        for number in range(first, first + count)
    ]
