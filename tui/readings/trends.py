"""What a node did snapshot by snapshot, for as long as a screen is wide."""

from collections import deque
from collections.abc import Sequence
from typing import Final

from farm.core.nodes import NodeState
from farm.core.snapshots import FarmSnapshot, NodeSnapshot
from tui.readings.rates import FarmRates, NodeRates

# Two minutes at one a second: the widest sparkline, and the live end of a plot.
LENGTH: Final = 120


class Trends:
    """The latest values of one node, the oldest first; None where nothing was known.

    `cpu_fraction` is of all cores, `temperature_c` in degrees Celsius.
    """

    def __init__(self) -> None:
        self._unix_ns: deque[int] = deque(maxlen=LENGTH)
        self._cpu_fraction: deque[float | None] = deque(maxlen=LENGTH)
        self._temperature_c: deque[float | None] = deque(maxlen=LENGTH)
        self._watts: deque[float | None] = deque(maxlen=LENGTH)
        self._requests_per_s: deque[float | None] = deque(maxlen=LENGTH)
        self._batch_s: deque[float | None] = deque(maxlen=LENGTH)

    def take(self, unix_ns: int, node: NodeSnapshot, rates: NodeRates) -> None:
        """Add what a snapshot says of the node; what was last heard of a lost one is no value."""
        lost = node.state is NodeState.LOST
        vitals, power = (None, None) if lost else (node.vitals, node.power)
        self._unix_ns.append(unix_ns)
        self._cpu_fraction.append(vitals.cpu_fraction if vitals else None)
        self._temperature_c.append(vitals.temperature_c if vitals else None)
        self._watts.append(power.watts.typical if power else None)
        self._requests_per_s.append(rates.requests_per_s)
        self._batch_s.append(rates.batch_s)

    @property
    def unix_ns(self) -> Sequence[int]:
        """When each value was taken."""
        return self._unix_ns

    @property
    def cpu_fraction(self) -> Sequence[float | None]:
        return self._cpu_fraction

    @property
    def temperature_c(self) -> Sequence[float | None]:
        return self._temperature_c

    @property
    def watts(self) -> Sequence[float | None]:
        return self._watts

    @property
    def requests_per_s(self) -> Sequence[float | None]:
        return self._requests_per_s

    @property
    def batch_s(self) -> Sequence[float | None]:
        return self._batch_s


class FarmTrends:
    """The latest values of a whole farm, the oldest first; None where nothing was known."""

    def __init__(self) -> None:
        self._queued: deque[int] = deque(maxlen=LENGTH)
        self._requests_per_s: deque[float | None] = deque(maxlen=LENGTH)

    def take(self, snapshot: FarmSnapshot, rates: FarmRates) -> None:
        """Add what a snapshot says of the farm."""
        self._queued.append(snapshot.queued_requests)
        self._requests_per_s.append(rates.requests_per_s)

    @property
    def queued(self) -> Sequence[int]:
        """Requests that waited."""
        return self._queued

    @property
    def requests_per_s(self) -> Sequence[float | None]:
        return self._requests_per_s
