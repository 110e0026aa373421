"""Watts by the model, joules by meters, and what is told between heartbeats."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.core.energy import Band, EnergySource
from farm.core.nodes import NodeVitals
from farm.energy.power import HostPower, MeterAccuracy, PowerModel

MODEL = PowerModel(idle=Band(1.0, 2.0, 3.0), load=Band(5.0, 6.0, 9.0), source=EnergySource.MODELLED)
EXACT = MeterAccuracy(within=0.0, basis="a test")
METER = MeterAccuracy(within=0.1, basis="a test", gain=1.2, offset_w=0.5)


def host_power() -> HostPower:
    return HostPower(MODEL, cores=4, accuracy=lambda kind: EXACT)


def vitals(
    *,
    cpu: float = 0.0,
    metered: tuple[float, float] = (0.0, 0.0),
    incarnation: str = "1",
    speed: float = 1.0,
) -> NodeVitals:
    return NodeVitals(
        incarnation=incarnation,
        slots_busy=0,
        cpu_fraction=cpu,
        memory_total_bytes=0,
        memory_available_bytes=0,
        temperature_c=None,
        clock_hz=None,
        batches_total=0,
        rows_total=0,
        failures_total=0,
        digests=(),
        speed=speed,
        metered_j=metered[0],
        metered_s=metered[1],
    )


@settings(deadline=None)
@given(st.floats(-1, 2), st.floats(-1, 2))
def test_watts_stay_between_idle_and_load(utilisation: float, speed: float) -> None:
    watts = MODEL.watts(utilisation=utilisation, speed=speed)
    assert watts.low <= watts.typical <= watts.high
    assert MODEL.idle.typical <= watts.typical <= MODEL.load.typical


def test_a_slower_clock_takes_less_within_a_wider_band() -> None:
    watts = MODEL.watts(utilisation=1.0, speed=0.5)
    assert watts == Band(1.0 + 4.0 / 8, 2.0 + 4.0 / 2, 3.0 + 6.0 / 2)


def test_a_meter_is_corrected_as_its_accuracy_says() -> None:
    band = METER.joules(100.0, 10.0)
    assert band.typical == pytest.approx(125.0)
    assert (band.low, band.high) == pytest.approx((112.5, 137.5))


def test_heartbeats_that_come_unevenly_lose_no_measurement() -> None:
    host = host_power()
    host.heard("a", vitals(), 0.0)
    for number, at in enumerate((0.9, 2.1, 2.9, 4.0), start=1):
        host.heard("a", vitals(metered=(5.0 * number, float(number))), at)
    energy = host.window(0.0, 4.0).energy
    assert energy.measured == pytest.approx(20.0, rel=0.05)
    assert energy.modelled == 0


def test_a_meter_that_tells_of_half_the_time_leaves_the_rest_to_the_model() -> None:
    host = host_power()
    host.heard("a", vitals(), 0.0)
    host.heard("a", vitals(metered=(5.0, 1.0)), 2.0)
    energy = host.window(0.0, 2.0).energy
    assert (energy.measured, energy.modelled) == pytest.approx((5.0, 2.0))


def test_counters_of_a_new_incarnation_are_not_compared_with_those_of_the_old() -> None:
    host = host_power()
    host.heard("a", vitals(metered=(500.0, 100.0)), 0.0)
    host.heard("a", vitals(metered=(600.0, 120.0), incarnation="2"), 1.0)
    assert host.window(0.0, 1.0).energy.measured == 0


def test_counters_that_fall_are_not_believed() -> None:
    host = host_power()
    host.heard("a", vitals(metered=(500.0, 100.0)), 0.0)
    host.heard("a", vitals(metered=(400.0, 101.0)), 1.0)
    assert host.window(0.0, 1.0).energy.measured == 0


def test_when_the_node_that_tells_falls_silent_another_takes_over() -> None:
    host = host_power()
    host.heard("a", vitals(cpu=0.0), 0.0)
    host.heard("b", vitals(cpu=1.0), 0.5)
    for second in range(1, 9):
        host.heard("b", vitals(cpu=1.0), float(second))
    window = host.window(0.0, 8.0)
    assert window.energy.typical == pytest.approx(8 * 6.0)
    assert window.busy_core_s == pytest.approx(32.0)


@settings(deadline=None)
@given(
    st.lists(st.floats(0.1, 3.0), min_size=1, max_size=20),
    st.lists(st.floats(0.0, 1.0), min_size=20, max_size=20),
    st.lists(st.floats(0.05, 0.95), min_size=1, max_size=5),
)
def test_windows_lose_and_double_nothing(
    pauses: list[float], loads: list[float], cuts: list[float]
) -> None:
    def told() -> HostPower:
        host, now = host_power(), 0.0
        host.heard("a", vitals(), now)
        for pause, cpu in zip(pauses, loads, strict=False):
            now += pause
            host.heard("a", vitals(cpu=cpu), now)
        return host

    end = sum(pauses) + 1.0
    whole = told().window(0.0, end)
    host, start, parts = told(), 0.0, []
    for cut in [*sorted({cut * end for cut in cuts}), end]:
        parts.append(host.window(start, cut))
        start = cut
    assert sum(part.energy.typical for part in parts) == pytest.approx(whole.energy.typical)
    assert sum(part.busy_core_s for part in parts) == pytest.approx(whole.busy_core_s)


def test_of_a_host_that_was_away_nobody_knows_what_it_did() -> None:
    host = host_power()
    host.heard("a", vitals(), 0.0)
    host.heard("a", vitals(cpu=1.0, incarnation="2"), 10.0)
    energy = host.window(0.0, 10.0).energy
    assert (energy.assumed, energy.modelled) == (pytest.approx(20.0), 0.0)
    assert energy.band.low == 0.0


def test_a_meter_that_counted_through_a_silence_is_believed() -> None:
    host = host_power()
    host.heard("a", vitals(), 0.0)
    host.heard("a", vitals(metered=(50.0, 10.0)), 10.0)
    assert host.window(0.0, 10.0).energy.measured == pytest.approx(50.0)


def test_a_meter_that_tells_more_than_the_board_can_draw_is_not_believed() -> None:
    host = host_power()
    host.heard("a", vitals(), 0.0)
    host.heard("a", vitals(metered=(600.0, 1.0)), 1.0)
    assert host.window(0.0, 1.0).energy.measured == 0
    assert host.window(0.0, 1.0).energy.modelled == pytest.approx(2.0)
    assert "it tells of 600 W, and a board of this kind draws 9 W at most" in host.doubt
    host.heard("a", vitals(metered=(605.0, 2.0)), 2.0)
    assert host.doubt == ""


def test_a_meter_that_somebody_set_a_bound_for_is_judged_by_that_alone() -> None:
    host = HostPower(MODEL, cores=4, accuracy=lambda kind: EXACT, bounded=True)
    host.heard("a", vitals(), 0.0)
    host.heard("a", vitals(metered=(60.0, 1.0)), 1.0)
    assert host.window(0.0, 1.0).energy.measured == pytest.approx(60.0)
    assert host.doubt == ""
