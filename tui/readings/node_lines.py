"""What a node is and how it feels, in words."""

from collections.abc import Iterator, Mapping

from farm.core.energy import EnergySource
from farm.core.text import printable
from tui.readings import quantities
from tui.readings.reading import NodeReading
from tui.readings.throttling import holds_now, holds_since_start

# Characters of why a node is in its state.
_LONGEST = 300


def identity(reading: NodeReading) -> tuple[str, ...]:
    """Return what a node is; what does not change while its process lives."""
    profile = reading.node.profile
    if profile is None:
        return ("it has not come up yet",)
    return tuple(
        map(
            printable,
            filter(
                None,
                (
                    profile.board or "board unknown",
                    f"host {profile.host}" if profile.host else "",
                    f"{profile.cores} {'core' if profile.cores == 1 else 'cores'}"
                    f" {profile.cpu_class}",
                    f"ONNX Runtime {profile.runtime_version or 'unknown'}",
                    f"process {profile.pid}",
                ),
            ),
        )
    )


def troubles(reading: NodeReading) -> tuple[str, ...]:
    """Return why a node is in its state, and what holds it back."""
    node, vitals = reading.node, reading.node.vitals
    told = [printable(node.reason, _LONGEST)] if node.reason else []
    if vitals is None:
        return tuple(told)
    flags = vitals.throttle_flags or 0
    now = holds_now(flags)
    told.extend(now)
    told.extend(f"{hold} since it booted" for hold in holds_since_start(flags) if hold not in now)
    if node.meter_fault:
        meter, fault = printable(vitals.meter), printable(node.meter_fault, _LONGEST)
        told.append(f"its meter ({meter}) tells nothing: {fault}")
    return tuple(told)


def condition(reading: NodeReading, marks: Mapping[EnergySource, str]) -> tuple[str, ...]:
    """Return how a node feels and what it does; unknown things are left out."""
    return tuple(_condition(reading, marks))


def _condition(reading: NodeReading, marks: Mapping[EnergySource, str]) -> Iterator[str]:
    node, vitals, rates = reading.node, reading.node.vitals, reading.rates
    if vitals is not None:
        yield f"load {quantities.fraction(vitals.cpu_fraction)}"
        if vitals.temperature_c is not None:
            yield quantities.celsius(vitals.temperature_c)
        if vitals.clock_hz is not None:
            yield quantities.hertz(vitals.clock_hz)
    if node.power is not None:
        watts = node.power.watts
        yield (
            f"{quantities.watts(node.power, marks)} {node.power.source}"
            f" ({quantities.bare_watts(watts.low)} to {quantities.bare_watts(watts.high)})"
        )
    yield f"{quantities.rate(rates.requests_per_s)} requests/s"
    if rates.batch_s is not None:
        rows = quantities.rate(rates.batch_rows)
        yield f"{rows} rows in {quantities.seconds(rates.batch_s)} a batch"
    if rates.joules_per_request is not None:
        yield f"{quantities.joules(rates.joules_per_request)}/request"
    if vitals is not None and vitals.memory_total_bytes:
        used = vitals.memory_total_bytes - vitals.memory_available_bytes
        total = quantities.data(vitals.memory_total_bytes)
        yield f"memory {quantities.data(used)} of {total}"
    failed = node.work.failures_total
    batches = quantities.count(node.work.batches_total + failed)
    yield f"{quantities.count(failed)} of {batches} batches failed"
    if node.heartbeat_age_s is not None:
        yield f"heard {quantities.age(node.heartbeat_age_s)} ago"
