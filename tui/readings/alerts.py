"""What is wrong in a farm, the worst first."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from farm.core.events import Severity
from farm.core.models import ModelState
from farm.core.nodes import NodeState, NodeVitals
from farm.core.snapshots import GatewayState
from tui.readings.quantities import celsius, count, fraction, rate, seconds
from tui.readings.rates import WINDOW_S
from tui.readings.reading import NodeReading, Reading
from tui.readings.throttling import Hold, holds_now

# From here on the firmware throttles a Raspberry Pi's cores, step by step up to 85 °C
# (raspberrypi.org/documentation, frequency management and thermal control).
HOT_C: Final = 80.0

# More of a kind than this are one line with a count; so many of them are named in it.
_SINGLY: Final = 2
_NAMED: Final = 3
# Snapshots of which each must have had more in the queue than every one of as many before.
_GROWS_OVER: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """Something that is wrong with a subject: what, and why as far as that is known.

    `nodes` are those it is about; where there are several, they are the subject together.
    """

    severity: Severity
    subject: str
    what: str
    why: str = ""
    nodes: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """What is wrong, and why."""
        return f"{self.what}: {self.why}" if self.why else self.what

    @property
    def places(self) -> Sequence[tuple[str, str]]:
        """What is wrong, with each thing that it is wrong with."""
        return [(self.what, place) for place in self.nodes or (self.subject,)]


def alerts(reading: Reading) -> tuple[Alert, ...]:
    """Return what is wrong now, the worst first."""
    found = [*_of_farm(reading), *_of_models(reading), *_of_nodes(reading)]
    found.sort(key=lambda alert: alert.severity is not Severity.ERROR)
    return tuple(found)


def _of_farm(reading: Reading) -> Iterator[Alert]:
    snapshot = reading.snapshot
    if snapshot.gateway_state is GatewayState.DRAINING:
        yield Alert(
            severity=Severity.WARNING, subject="gateway", what="drains", why="it takes no requests"
        )
    states = reading.states
    if NodeState.READY not in states:
        told = ", ".join(f"{number} {state}" for state, number in states.items())
        # Where no other node is left, these get batches all the same.
        tried = not states.keys().isdisjoint({NodeState.SUSPECT, NodeState.EJECTED})
        coming = NodeState.JOINING in states or snapshot.gateway_state is GatewayState.STARTING
        yield Alert(
            severity=Severity.WARNING if tried or coming else Severity.ERROR,
            subject="farm",
            what="no node is ready",
            why=f"{told or 'none has joined'}{', tried all the same' * tried}",
        )
    if _grows(reading.trends.queued):
        yield Alert(severity=Severity.WARNING, subject="queue", what="grows", why=_queue(reading))


def _grows(queued: Sequence[int]) -> bool:
    latest = list(queued)[-2 * _GROWS_OVER :]
    before, after = latest[:_GROWS_OVER], latest[_GROWS_OVER:]
    return len(after) == _GROWS_OVER and min(after) > max(before)


def _queue(reading: Reading) -> str:
    queued, per_s = reading.snapshot.queued_requests, reading.rates.requests_per_s
    if not per_s:
        return f"{count(queued)} requests wait and none is answered"
    return f"{count(queued)} requests wait, {seconds(queued / per_s)} at this rate"


def _of_models(reading: Reading) -> Iterator[Alert]:
    for each in reading.models:
        model, failures_per_s = each.model, each.rates.failures_per_s
        if model.state is ModelState.UNAVAILABLE:
            yield Alert(
                severity=Severity.ERROR,
                subject=str(model.key),
                what="unavailable",
                why=model.reason,
            )
        if failures_per_s:
            yield Alert(
                severity=Severity.WARNING,
                subject=str(model.key),
                what="requests fail",
                why=f"{rate(failures_per_s)} a second",
            )


def _of_nodes(reading: Reading) -> Iterator[Alert]:
    for check in _CHECKS:
        found = {
            node_id: why
            for node_id, node in reading.nodes.items()
            if (why := check.why(node)) is not None
        }
        if len(found) > _SINGLY:
            yield Alert(
                severity=check.severity,
                subject=f"{len(found)} nodes",
                what=check.what,
                why=_named(list(found)),
                nodes=tuple(found),
            )
            continue
        for node_id, why in found.items():
            yield Alert(
                severity=check.severity,
                subject=node_id,
                what=check.what,
                why=why,
                nodes=(node_id,),
            )


def _named(names: Sequence[str]) -> str:
    told = ", ".join(names[:_NAMED])
    return f"{told} and {len(names) - _NAMED} more" if len(names) > _NAMED else told


@dataclass(frozen=True, slots=True, kw_only=True)
class _Check:
    """What may be wrong with a node. `why` is None where it is not, "" where nothing is told."""

    severity: Severity
    what: str
    why: Callable[[NodeReading], str | None]


def _in_state(state: NodeState) -> Callable[[NodeReading], str | None]:
    return lambda reading: reading.node.reason if reading.node.state is state else None


def _vitals(reading: NodeReading) -> NodeVitals | None:
    """Return how a node is; the last that a lost one told is of no account."""
    return None if reading.node.state is NodeState.LOST else reading.node.vitals


def _holds(reading: NodeReading) -> tuple[Hold, ...]:
    vitals = _vitals(reading)
    return holds_now(vitals.throttle_flags or 0) if vitals else ()


def _under_voltage(reading: NodeReading) -> str | None:
    return "its supply or cable is weak" if Hold.UNDER_VOLTAGE in _holds(reading) else None


def _throttled(reading: NodeReading) -> str | None:
    holds = [hold for hold in _holds(reading) if hold is not Hold.UNDER_VOLTAGE]
    vitals = reading.node.vitals
    if not holds or vitals is None:
        return None
    told = [hold for hold in holds if hold is not Hold.THROTTLED]
    # A gateway that does not tell the speed leaves it 0.
    slowed = [f"at {fraction(vitals.speed)} of its clock"] if 0 < vitals.speed < 1 else []
    return ", ".join([*told, *slowed])


def _hot(reading: NodeReading) -> str | None:
    vitals = _vitals(reading)
    if vitals is None or vitals.temperature_c is None or vitals.temperature_c < HOT_C:
        return None
    return celsius(vitals.temperature_c)


def _meter_lost(reading: NodeReading) -> str | None:
    lost = reading.node.state is NodeState.LOST
    return None if lost else reading.node.meter_fault or None


def _fails(reading: NodeReading) -> str | None:
    failures = reading.rates.failures
    return f"{count(failures)} in {seconds(WINDOW_S)}" if failures > 0 else None


_CHECKS: Final = (
    _Check(severity=Severity.ERROR, what="lost", why=_in_state(NodeState.LOST)),
    _Check(severity=Severity.ERROR, what="ejected", why=_in_state(NodeState.EJECTED)),
    _Check(severity=Severity.ERROR, what="under-voltage", why=_under_voltage),
    _Check(severity=Severity.WARNING, what="suspect", why=_in_state(NodeState.SUSPECT)),
    _Check(severity=Severity.WARNING, what="throttled", why=_throttled),
    _Check(severity=Severity.WARNING, what="hot", why=_hot),
    _Check(severity=Severity.WARNING, what="meter lost", why=_meter_lost),
    _Check(severity=Severity.WARNING, what="batches fail", why=_fails),
)
