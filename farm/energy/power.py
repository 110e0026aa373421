"""What a host draws: what its meter told, and a model where none tells anything."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from farm.core.energy import Band, EnergySource, Power
from farm.core.nodes import NodeVitals
from farm.energy.charges import HostWindow
from farm.energy.joules import NO_JOULES, Joules

# After so many seconds without a word from the node that tells a host's figures, another may;
# of a host that was silent for longer nobody knows what it did meanwhile.
_SILENT_S: Final = 3.0

# No board draws more than so many times what it was seen to at full load: sources of one board
# differ by two.
_BELIEVED: Final = 3.0

# A meter that told of more than this part of the time between two heartbeats told of all: what
# its node counts and when that arrives differ by the network.
_WHOLE: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerModel:
    """A board's watts, doing nothing and with all cores busy at full clock.

    In between they are taken as linear in utilisation, as Cloud Carbon Footprint does, and
    PowerPi (LCN 2014), which was within 3.3 % RMSE so.
    """

    idle: Band
    load: Band
    source: EnergySource

    def watts(self, *, utilisation: float, speed: float) -> Band:
        """Return the watts at a load of all cores (0 to 1) and a share of the highest clock.

        What is drawn beyond idle is proportional to f V^2. Throttling lowers V with f by an
        amount nobody tells, so it falls at least with f and at most with its cube.
        """
        busy = min(max(utilisation, 0.0), 1.0)
        speed = min(max(speed, 0.0), 1.0)

        def at(idle: float, load: float, slowed: float) -> float:
            return idle + max(load - idle, 0.0) * busy * slowed

        return Band(
            at(self.idle.low, self.load.low, speed**3),
            at(self.idle.typical, self.load.typical, speed),
            at(self.idle.high, self.load.high, speed),
        )

    def core_second(self, cores: int) -> Joules:
        """Return what one of so many cores takes beyond idle when it is busy for a second."""
        idle, load = self.idle, self.load
        above = Band(
            max(load.low - idle.low, 0.0),
            max(load.typical - idle.typical, 0.0),
            max(load.high - idle.high, 0.0),
        )
        return Joules.of(above.times(1 / cores), self.source)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterAccuracy:
    """How what a meter says relates to what the host draws: `gain` times it, plus `offset_w`.

    The truth is within `within`, a share of that, on either side. `basis` says who found so.
    """

    within: float
    basis: str
    gain: float = 1.0
    offset_w: float = 0.0

    def joules(self, told_j: float, seconds: float) -> Band:
        """Return what the host took in so many seconds in which the meter told of `told_j`."""
        typical = told_j * self.gain + self.offset_w * seconds
        return Band(typical * (1 - self.within), typical, typical * (1 + self.within))


@dataclass(frozen=True, slots=True)
class _Span:
    """What a host took between two heartbeats."""

    start: float
    end: float
    energy: Joules
    busy_core_s: float


class HostPower:
    """One host's joules over time, from the heartbeats of the nodes that it has.

    Several nodes on one host tell of the same meter and the same load: one of them is listened
    to. Times are seconds of one clock that never falls.
    """

    def __init__(
        self,
        model: PowerModel,
        *,
        cores: int,
        accuracy: Callable[[str], MeterAccuracy],
        bounded: bool = False,
    ) -> None:
        """Begin to listen; `accuracy` knows each type of meter.

        Where it is `bounded`, somebody said what the meter may tell at most: its node judges
        each reading by that, and nothing is doubted here.
        """
        self.model = model
        self.cores = cores
        self._accuracy = accuracy
        self._bounded = bounded
        self._spans: deque[_Span] = deque()
        self._teller = ""
        self._last: NodeVitals | None = None
        self._told_at: float | None = None
        # When any of its nodes was heard.
        self._heard_at = 0.0
        self.doubt = ""

    def heard(self, node_id: str, vitals: NodeVitals, now: float) -> None:
        """Take a heartbeat. `doubt` says what of it is not believed, if anything."""
        told_at, silent_s = self._told_at, now - self._heard_at
        self._heard_at = now
        if told_at is None:
            self._teller, self._last, self._told_at = node_id, vitals, now
            return
        if node_id != self._teller and now - told_at < _SILENT_S:
            return
        if now <= told_at:
            return
        before = self._last if node_id == self._teller else None
        span = self._span(before, vitals, told_at, now)
        if silent_s <= _SILENT_S or span.energy.measured:
            self._spans.append(span)
        self._teller, self._last, self._told_at = node_id, vitals, now

    def _span(self, before: NodeVitals | None, now: NodeVitals, start: float, end: float) -> _Span:
        seconds = end - start
        told_j, told_s = metered(before, now)
        if told_s > seconds * _WHOLE:
            # Heartbeats do not come as evenly as they are sent.
            told_j, told_s = told_j * seconds / told_s, seconds
        measured = self._accuracy(now.meter).joules(told_j, told_s)
        self.doubt = self._doubt(measured, told_s)
        if self.doubt:
            told_s = 0.0
        watts = self.model.watts(utilisation=now.cpu_fraction, speed=now.speed)
        energy = Joules.of(watts.times(seconds - told_s), self.model.source)
        if told_s:
            energy += Joules.of(measured, EnergySource.MEASURED)
        return _Span(start, end, energy, now.cpu_fraction * self.cores * seconds)

    def _doubt(self, measured: Band, seconds: float) -> str:
        """Return why a meter's word is not taken, or nothing; of unknown boards it always is."""
        if self._bounded or self.model.source is EnergySource.ASSUMED:
            return ""
        if measured.low <= self.model.load.high * _BELIEVED * seconds:
            return ""
        return (
            f"it tells of {measured.typical / seconds:.0f} W, and a board of this kind draws"
            f" {self.model.load.high:.0f} W at most: see that its unit is watts and that nothing"
            " else hangs on it, or give the host's own bound as `meter.max_w`"
        )

    def power(self) -> Power | None:
        """Return what it drew between its latest two heartbeats; None before there were two."""
        if not self._spans:
            return None
        span = self._spans[-1]
        return Power(span.energy.band.times(1 / (span.end - span.start)), span.energy.source)

    def window(self, start: float, end: float) -> HostWindow:
        """Return what it took between two moments; what is before `start` is forgotten.

        Where it was silent nobody knows whether it was on: it is assumed to have idled, or to
        have drawn nothing.
        """
        while self._spans and self._spans[0].end <= start:
            self._spans.popleft()
        energy, busy_core_s, known_s = NO_JOULES, 0.0, 0.0
        for span in self._spans:
            overlap_s = min(span.end, end) - max(span.start, start)
            if overlap_s > 0:
                share = overlap_s / (span.end - span.start)
                energy += span.energy.times(share)
                busy_core_s += span.busy_core_s * share
                known_s += overlap_s
        idle = self.model.idle
        silent_s = end - start - known_s
        if silent_s > 0:
            silent = Band(0.0, idle.typical, idle.high).times(silent_s)
            energy += Joules.of(silent, EnergySource.ASSUMED)
        return HostWindow(energy=energy, idle_w=idle.typical, busy_core_s=busy_core_s)


def metered(before: NodeVitals | None, now: NodeVitals) -> tuple[float, float]:
    """Return the joules that a meter counted between two heartbeats, and in how many seconds."""
    if before is None or before.incarnation != now.incarnation:
        return 0.0, 0.0
    joules = now.metered_j - before.metered_j
    seconds = now.metered_s - before.metered_s
    return (joules, seconds) if joules >= 0 and seconds > 0 else (0.0, 0.0)
