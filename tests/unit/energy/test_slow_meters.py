"""Meters that are asked seldom: what they told is counted once, the model has the rest."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.core.energy import Band, EnergySource
from farm.core.nodes import NodeVitals
from farm.energy.joules import Joules
from farm.energy.power import HostPower, MeterAccuracy, PowerModel
from farm.node.meters.reading import Fault, Reading
from farm.node.meters.sampler import Sampler, fresh_s

IDLE_W, LOAD_W, METER_W = 2.0, 6.0, 5.0
MODEL = PowerModel(
    idle=Band(IDLE_W, IDLE_W, IDLE_W),
    load=Band(LOAD_W, LOAD_W, LOAD_W),
    source=EnergySource.MODELLED,
)
EXACT = MeterAccuracy(within=0.0, basis="a test")
WINDOW_S = 10


class MeteredHost:
    """A host whose idle node beats once a second and asks its meter every `interval_s`.

    The meter tells `METER_W` while `answers`.
    """

    label = "fake"

    def __init__(self, interval_s: float) -> None:
        self.now = 0.0
        self.answers = True
        self.power = HostPower(MODEL, cores=4, accuracy=lambda _: EXACT)
        self._meter = Sampler("http", self, interval_s=interval_s, max_w=30.0, clock=self._clock)
        self._ask_at = 0.0

    def _clock(self) -> float:
        return self.now

    def read(self) -> Reading | Fault:
        return Reading(watts=METER_W) if self.answers else Fault("does not answer")

    def beat(self) -> None:
        while self._ask_at <= self.now:
            heard_at, self.now = self.now, self._ask_at
            self._ask_at += self._meter.sample()
            self.now = heard_at
        told = self._meter.tell()
        vitals = NodeVitals(
            incarnation="1",
            slots_busy=0,
            cpu_fraction=0.0,
            memory_total_bytes=0,
            memory_available_bytes=0,
            temperature_c=None,
            clock_hz=None,
            batches_total=0,
            rows_total=0,
            failures_total=0,
            digests=(),
            meter=told.meter,
            metered_j=told.metered_j,
            metered_s=told.metered_s,
            power_w=told.power_w,
            meter_fault=told.meter_fault,
        )
        self.power.heard("a", vitals, self.now)

    def windows(self, count: int) -> Iterator[Joules]:
        """Go on for so many windows."""
        for _ in range(count):
            start = self.now
            while self.now < start + WINDOW_S:
                self.now += 1.0
                self.beat()
            yield self.power.window(start, self.now).energy


@pytest.mark.parametrize("interval_s", [0.2, 1.0, 7.0, 30.0])
def test_a_window_that_is_shorter_than_the_interval_is_measured_all_the_same(
    interval_s: float,
) -> None:
    host = MeteredHost(interval_s)
    host.beat()
    for energy in host.windows(10):
        assert energy.measured == pytest.approx(METER_W * WINDOW_S)
        assert energy.modelled == pytest.approx(0.0)


def test_one_answer_that_is_missed_is_none_that_is_lost() -> None:
    host = MeteredHost(30.0)
    host.beat()
    list(host.windows(2))
    host.answers = False
    list(host.windows(2))
    host.answers = True
    assert all(energy.modelled == pytest.approx(0.0) for energy in host.windows(6))


@settings(deadline=None, max_examples=50)
@given(st.sampled_from([1.0, 7.0, 30.0]), st.integers(0, 12), st.integers(1, 24))
def test_what_is_not_metered_is_the_models_and_nothing_is_counted_twice(
    interval_s: float, well: int, lost: int
) -> None:
    host = MeteredHost(interval_s)
    host.beat()
    energy = list(host.windows(well))
    host.answers = False
    energy += host.windows(lost)
    host.answers = True
    energy += host.windows(12)
    metered_s = sum(each.measured for each in energy) / METER_W
    modelled_s = sum(each.modelled for each in energy) / IDLE_W
    assert metered_s + modelled_s == pytest.approx(WINDOW_S * len(energy))
    assert modelled_s <= WINDOW_S * lost + interval_s + 1.0
    # After its last answer a meter tells no more than as long as that is fresh.
    assert modelled_s >= WINDOW_S * lost - fresh_s(interval_s) - 1.0
    assert energy[-1].measured == pytest.approx(METER_W * WINDOW_S)
