"""Meters that the kernel shows as files: INA2xx in hwmon, RAPL in powercap."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.node.meters import hwmon, rapl
from farm.node.meters.hwmon import Hwmon
from farm.node.meters.rapl import Package, Rapl
from farm.node.meters.reading import Fault, Reading


def folder(root: Path, called: str, /, **files: str) -> Path:
    made = root / called
    made.mkdir()
    for file, text in files.items():
        (made / file).write_text(f"{text}\n")
    return made


# -- hwmon --------------------------------------------------------------------------------


def test_power_is_preferred_to_current_and_voltage() -> None:
    files = {"power1_input": "5120000\n", "curr1_input": "1\n", "in1_input": "1\n"}
    assert hwmon.parse(files) == Reading(watts=5.12)


def test_current_and_voltage_do_without_power() -> None:
    files = {"power1_input": "", "curr1_input": "1004", "in1_input": "5100"}
    assert hwmon.parse(files) == Reading(watts=pytest.approx(5.1204))


def test_a_sensor_that_is_wired_the_other_way_tells_less_than_nothing() -> None:
    assert hwmon.parse({"curr1_input": "-1000", "in1_input": "5000"}) == Reading(watts=-5.0)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["power1_input", "curr1_input", "in1_input"]), st.text()))
def test_no_text_in_a_sensors_files_raises(files: dict[str, str]) -> None:
    assert isinstance(hwmon.parse(files), Reading | Fault)


def test_only_sensors_of_power_are_counted(tmp_path: Path) -> None:
    folder(tmp_path, "hwmon0", name="cpu_thermal", temp1_input="48300")
    folder(tmp_path, "hwmon1", name="ina219", power1_input="3200000")
    folder(tmp_path, "hwmon2", name="ina226", curr1_input="2000", in1_input="5000")
    assert Hwmon(0, tmp_path).read() == Reading(watts=3.2)
    assert Hwmon(1, tmp_path).read() == Reading(watts=10.0)
    fault = Hwmon(2, tmp_path).read()
    assert isinstance(fault, Fault)
    assert "has no sensor 2: the kernel shows 2 INA2xx" in fault.text


def test_sensors_keep_their_order_when_the_kernel_numbers_them_anew(tmp_path: Path) -> None:
    bus, classes = tmp_path / "i2c", tmp_path / "hwmon"
    bus.mkdir()
    classes.mkdir()
    for number, address in (("hwmon3", "1-0040"), ("hwmon1", "1-0041")):
        sensor = folder(classes, number, name="ina219", power1_input=address[-2:] + "000000")
        (sensor / "device").symlink_to(folder(bus, address))
    assert Hwmon(0, classes).read() == Reading(watts=40.0)


def test_a_sensor_that_has_gone_is_a_fault(tmp_path: Path) -> None:
    folder(tmp_path, "hwmon0", name="ina219")
    assert isinstance(Hwmon(0, tmp_path).read(), Fault)
    assert isinstance(Hwmon(0, tmp_path / "nothing").read(), Fault)


# -- RAPL ---------------------------------------------------------------------------------


def zone(root: Path, number: str, name: str, energy_uj: int, range_uj: int = 1_000_000) -> Path:
    return folder(
        root,
        f"intel-rapl{number}",
        name=name,
        energy_uj=str(energy_uj),
        max_energy_range_uj=str(range_uj),
    )


def test_packages_are_summed_up_and_nothing_is_counted_twice(tmp_path: Path) -> None:
    one = zone(tmp_path, ":0", "package-0", 100)
    other = zone(tmp_path, ":1", "package-1", 200)
    others = [
        zone(tmp_path, ":0:0", "core", 50),
        zone(tmp_path, ":0:1", "dram", 50),
        zone(tmp_path, ":2", "psys", 400),
        zone(tmp_path, "-mmio:0", "package-0", 100),
    ]
    meter = Rapl(tmp_path)
    assert meter.read() == Reading(counted_j=0.0)
    (one / "energy_uj").write_text("500100\n")
    (other / "energy_uj").write_text("250200\n")
    for each in others:
        (each / "energy_uj").write_text("999999\n")
    assert meter.read() == Reading(counted_j=pytest.approx(0.75))


def test_a_counter_that_begins_anew_goes_on(tmp_path: Path) -> None:
    package = zone(tmp_path, ":0", "package-0", 900_000)
    meter = Rapl(tmp_path)
    meter.read()
    (package / "energy_uj").write_text("100000\n")
    assert meter.read() == Reading(counted_j=pytest.approx(0.2))


@settings(deadline=None)
@given(st.lists(st.integers(0, 262_000_000), min_size=1), st.integers(262_143_328_850, 2**40))
def test_what_passed_adds_up_over_any_wraps(steps: list[int], range_uj: int) -> None:
    now, total_uj, joules = 0, 0, 0.0
    for step in steps:
        before, total_uj = now, total_uj + step
        now = total_uj % range_uj
        joules += rapl.advance_j(
            Package(energy_uj=before, range_uj=range_uj), Package(energy_uj=now, range_uj=range_uj)
        )
    assert joules == pytest.approx(total_uj / 1e6)


@settings(deadline=None)
@given(st.text(), st.text())
def test_no_text_in_a_counter_raises(energy: str, most: str) -> None:
    package = rapl.parse({"energy_uj": energy, "max_energy_range_uj": most})
    assert package is None or 0 <= package.energy_uj <= package.range_uj


def test_counters_that_are_missing_or_garbage_are_faults(tmp_path: Path) -> None:
    assert not rapl.readable(tmp_path)
    fault = Rapl(tmp_path).read()
    assert isinstance(fault, Fault)
    assert "intel_rapl_msr" in fault.text
    package = zone(tmp_path, ":0", "package-0", 1)
    assert rapl.readable(tmp_path)
    (package / "energy_uj").write_text("many\n")
    assert isinstance(Rapl(tmp_path).read(), Fault)


def test_counters_that_only_root_may_read_say_so(tmp_path: Path) -> None:
    package = zone(tmp_path, ":0", "package-0", 1)
    (package / "energy_uj").unlink()
    (package / "energy_uj").mkdir()
    assert not rapl.readable(tmp_path)
    fault = Rapl(tmp_path).read()
    assert isinstance(fault, Fault)
    assert "to root alone" in fault.text
