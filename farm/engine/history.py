"""How the farm and its nodes fared lately, finely for minutes and coarsely for hours."""

import math
import struct
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from farm.core.clock import Clock
from farm.core.histories import HistoryPoint
from farm.core.nodes import NodeState
from farm.core.snapshots import FarmSnapshot, NodeSnapshot

# Seconds a point and points that are kept: a quarter of an hour, and six. Of 200 nodes that
# comes to some 17 MB.
TIERS: Final = ((2, 450), (30, 720))

# The subject of the whole farm; nodes have names.
FARM: Final = ""

# A clock that is off by more was set, and does not only run fast or slow.
_SET_NS: Final = 1_000_000_000

_POINT: Final = struct.Struct("<q5d")


class _Counts(NamedTuple):
    """What only rises: answers, and that of which latency is the mean."""

    answers: int
    timed: int
    seconds: float


class _Gauges(NamedTuple):
    """What rises and falls."""

    cpu_fraction: float | None
    temperature_c: float | None
    watts: float | None


class _Sample(NamedTuple):
    gauges: _Gauges
    counts: _Counts


@dataclass(slots=True)
class _Mean:
    total: float = 0.0
    count: int = 0

    def add(self, value: float | None) -> None:
        if value is not None:
            self.total += value
            self.count += 1

    @property
    def value(self) -> float | None:
        return self.total / self.count if self.count else None


@dataclass(slots=True)
class _Series:
    """The points of one subject, and what the next one is made of."""

    points: deque[bytes]
    counts: _Counts
    cpu_fraction: _Mean = field(default_factory=_Mean)
    temperature_c: _Mean = field(default_factory=_Mean)
    watts: _Mean = field(default_factory=_Mean)

    def add(self, gauges: _Gauges) -> None:
        self.cpu_fraction.add(gauges.cpu_fraction)
        self.temperature_c.add(gauges.temperature_c)
        self.watts.add(gauges.watts)

    def close(self, now_ns: int, counts: _Counts, seconds: float) -> None:
        """Make a point of all that was added since the last one."""
        old, self.counts = self.counts, counts
        # A version that is unloaded takes its counts along.
        answers = max(counts.answers - old.answers, 0)
        timed, seconds_s = counts.timed - old.timed, counts.seconds - old.seconds
        latency_s = seconds_s / timed if timed > 0 and seconds_s >= 0 else None
        self.points.append(
            _POINT.pack(
                now_ns,
                *map(
                    _kept,
                    (
                        self.cpu_fraction.value,
                        self.temperature_c.value,
                        self.watts.value,
                        answers / seconds,
                        latency_s,
                    ),
                ),
            )
        )
        self.cpu_fraction, self.temperature_c, self.watts = _Mean(), _Mean(), _Mean()


class _Tier:
    """All series at one resolution."""

    def __init__(self, step_s: int, length: int) -> None:
        self._step_ns = step_s * 1_000_000_000
        self._length = length
        self._began_ns: int | None = None
        self.series: dict[str, _Series] = {}

    def take(self, now_ns: int, samples: Mapping[str, _Sample]) -> None:
        for gone in self.series.keys() - samples.keys():
            del self.series[gone]
        if self._began_ns is None:
            self._began_ns = now_ns
        passed_ns = now_ns - self._began_ns
        for subject, sample in samples.items():
            series = self.series.get(subject)
            if series is None:
                series = _Series(deque(maxlen=self._length), sample.counts)
                self.series[subject] = series
            series.add(sample.gauges)
        if passed_ns >= self._step_ns:
            for subject, sample in samples.items():
                self.series[subject].close(now_ns, sample.counts, passed_ns / 1e9)
            self._began_ns = now_ns


class History:
    """Remembers what snapshots said.

    Points are kept by the clock that never goes back and dated when they are told: a machine
    that begins in the past and hears the time later corrects all of them at once.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tiers = [_Tier(*tier) for tier in TIERS]
        # What makes a moment of that clock one since the epoch.
        self._epoch_ns = 0

    def take(self, snapshot: FarmSnapshot) -> None:
        """Take a snapshot of this moment; they should come about once a second."""
        now_ns = round(self._clock.monotonic() * 1e9)
        epoch_ns = snapshot.taken_unix_ns - now_ns
        # The two are read one after the other, and points are not to be dated anew for that.
        if abs(epoch_ns - self._epoch_ns) > _SET_NS:
            self._epoch_ns = epoch_ns
        samples = dict(_samples(snapshot))
        for tier in self._tiers:
            tier.take(now_ns, samples)

    def points(self, node_id: str, *, since_unix_ns: int = 0) -> list[HistoryPoint] | None:
        """Return a node's points, or the farm's (`FARM`), the finest of each time.

        None for a node that the farm does not have.
        """
        if node_id and not any(node_id in tier.series for tier in self._tiers):
            return None
        told: list[HistoryPoint] = []
        for tier in self._tiers:
            series = tier.series.get(node_id)
            if series is None:
                continue
            until = told[0].unix_ns if told else math.inf
            points = (_told(point, self._epoch_ns) for point in series.points)
            told = [point for point in points if since_unix_ns <= point.unix_ns < until] + told
        return told


def _samples(snapshot: FarmSnapshot) -> Iterator[tuple[str, _Sample]]:
    for node in snapshot.nodes:
        work = node.work
        counts = _Counts(work.answers_total, work.batches_total, work.compute_s)
        yield node.node_id, _Sample(_gauges(node), counts)
    models = snapshot.models
    answers = sum(model.requests_total - model.failures_total for model in models)
    counts = _Counts(answers, answers, sum(model.latency_s for model in models))
    yield FARM, _Sample(_all(node for node in snapshot.nodes), counts)


def _gauges(node: NodeSnapshot) -> _Gauges:
    # What was last heard of a node that is gone is not so any more.
    if node.state is NodeState.LOST:
        return _Gauges(None, None, None)
    vitals, power = node.vitals, node.power
    return _Gauges(
        vitals.cpu_fraction if vitals else None,
        vitals.temperature_c if vitals else None,
        power.watts.typical if power else None,
    )


def _all(nodes: Iterable[NodeSnapshot]) -> _Gauges:
    """Return the farm's mean load, its hottest node, and the watts of all its hosts."""
    load, hottest, watts = _Mean(), [], {}
    for node in nodes:
        gauges = _gauges(node)
        load.add(gauges.cpu_fraction)
        if gauges.temperature_c is not None:
            hottest.append(gauges.temperature_c)
        if gauges.watts is not None and node.profile is not None:
            watts[node.profile.host] = gauges.watts
    return _Gauges(load.value, max(hottest, default=None), sum(watts.values()) if watts else None)


def _kept(value: float | None) -> float:
    return math.nan if value is None else value


def _told(point: bytes, epoch_ns: int) -> HistoryPoint:
    at_ns, *values = _POINT.unpack(point)
    cpu_fraction, temperature_c, watts, requests_per_s, latency_s = (
        None if math.isnan(value) else value for value in values
    )
    return HistoryPoint(
        unix_ns=at_ns + epoch_ns,
        cpu_fraction=cpu_fraction,
        temperature_c=temperature_c,
        watts=watts,
        requests_per_s=requests_per_s,
        latency_s=latency_s,
    )
