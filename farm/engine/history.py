"""How the farm and its nodes fared lately, finely for minutes and coarsely for hours."""

import math
import struct
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from farm.core.histories import HistoryPoint
from farm.core.nodes import NodeState
from farm.core.snapshots import FarmSnapshot, NodeSnapshot

# Seconds a point and points that are kept: a quarter of an hour, and six. Of 200 nodes that
# comes to some 17 MB.
TIERS: Final = ((2, 450), (30, 720))

# The subject of the whole farm; nodes have names.
FARM: Final = ""

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

    def close(self, unix_ns: int, counts: _Counts, seconds: float) -> None:
        """Make a point of all that was added since the last one."""
        old, self.counts = self.counts, counts
        # A version that is unloaded takes its counts along.
        answers = max(counts.answers - old.answers, 0)
        timed, seconds_s = counts.timed - old.timed, counts.seconds - old.seconds
        latency_s = seconds_s / timed if timed > 0 and seconds_s >= 0 else None
        self.points.append(
            _POINT.pack(
                unix_ns,
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
        self._began_unix_ns: int | None = None
        self.series: dict[str, _Series] = {}

    def take(self, unix_ns: int, samples: Mapping[str, _Sample]) -> None:
        for gone in self.series.keys() - samples.keys():
            del self.series[gone]
        began = self._began_unix_ns
        if began is None or unix_ns < began:
            # The first of all, or the clock was set back.
            self._began_unix_ns, began = unix_ns, unix_ns
        for subject, sample in samples.items():
            series = self.series.get(subject)
            if series is None:
                series = _Series(deque(maxlen=self._length), sample.counts)
                self.series[subject] = series
            series.add(sample.gauges)
        if unix_ns - began >= self._step_ns:
            for subject, sample in samples.items():
                self.series[subject].close(unix_ns, sample.counts, (unix_ns - began) / 1e9)
            self._began_unix_ns = unix_ns


class History:
    """Remembers what snapshots said."""

    def __init__(self) -> None:
        self._tiers = [_Tier(*tier) for tier in TIERS]

    def take(self, snapshot: FarmSnapshot) -> None:
        """Take a snapshot; they should come about once a second."""
        samples = dict(_samples(snapshot))
        for tier in self._tiers:
            tier.take(snapshot.taken_unix_ns, samples)

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
            coarser = [
                _told(point)
                for point in series.points
                if since_unix_ns <= _POINT.unpack(point)[0] < until
            ]
            told = coarser + told
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


def _told(point: bytes) -> HistoryPoint:
    unix_ns, *values = _POINT.unpack(point)
    cpu_fraction, temperature_c, watts, requests_per_s, latency_s = (
        None if math.isnan(value) else value for value in values
    )
    return HistoryPoint(
        unix_ns=unix_ns,
        cpu_fraction=cpu_fraction,
        temperature_c=temperature_c,
        watts=watts,
        requests_per_s=requests_per_s,
        latency_s=latency_s,
    )
