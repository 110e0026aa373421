"""A meter that is asked in the background, and which one a host has."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest

from farm.node.meters import hwmon, rapl, sampler, selection
from farm.node.meters.reading import Fault, Reading
from farm.node.meters.sampler import Sampler, fresh_s, pause_s
from farm.node.service import NodeService
from farm.node.settings import MeterSettings, NodeSettings

WAIT_S = 10.0


class Watch:
    """A clock that only moves when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class FakeDevice:
    """Answers what it is told to, and takes time for it."""

    label = "fake at hand"

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self.answer: Reading | Fault | Exception = Reading(watts=5.0)
        self.takes_s = 0.0

    def read(self) -> Reading | Fault:
        self._watch.now += self.takes_s
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def device(watch: Watch) -> FakeDevice:
    return FakeDevice(watch)


@pytest.fixture
def meter(device: FakeDevice, watch: Watch) -> Sampler:
    return Sampler("http", device, interval_s=1.0, max_w=30.0, clock=watch)


def test_a_heartbeat_finds_all_joules_up_to_its_moment(meter: Sampler, watch: Watch) -> None:
    meter.sample()
    watch.now += 0.75
    told = meter.tell()
    assert (told.meter, told.power_w, told.meter_fault) == ("http", 5.0, "")
    assert (told.metered_j, told.metered_s) == pytest.approx((3.75, 0.75))


def test_a_meter_that_is_asked_seldom_is_not_lost_between_two_questions(
    device: FakeDevice, watch: Watch
) -> None:
    meter = Sampler("http", device, interval_s=30.0, max_w=30.0, clock=watch)
    assert meter.sample() == 30.0
    watch.now += 59.0
    assert (meter.tell().power_w, meter.tell().metered_s) == (5.0, 59.0)
    watch.now += 60.0
    assert (meter.tell().power_w, meter.tell().metered_s) == (None, fresh_s(30.0))


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (Fault("does not answer"), "the meter fake at hand does not answer"),
        (Reading(watts=-1.0), "the meter fake at hand tells -1 W"),
        (ZeroDivisionError(), "the meter fake at hand cannot be understood (ZeroDivisionError)"),
    ],
)
def test_a_meter_is_lost_once_its_last_answer_is_old_and_comes_back_by_itself(
    meter: Sampler,
    device: FakeDevice,
    watch: Watch,
    answer: Reading | Fault | Exception,
    says: str,
) -> None:
    meter.sample()
    device.answer = answer
    watch.now += 1.0
    meter.sample()
    assert meter.tell().power_w == 5.0
    watch.now += 60.0
    lost = meter.tell()
    assert lost.power_w is None
    assert lost.meter_fault.startswith(says)
    assert lost.metered_s <= fresh_s(1.0)
    device.answer = Reading(watts=6.0)
    meter.sample()
    assert meter.tell().power_w == 6.0
    assert meter.tell().meter_fault == ""


def test_a_device_that_misses_one_question_is_not_lost(
    meter: Sampler, device: FakeDevice, watch: Watch
) -> None:
    watch.now += meter.sample()
    device.answer, device.takes_s = Fault("does not answer within 2 s"), 2.0
    watch.now += meter.sample()
    assert meter.tell().power_w == 5.0


@pytest.mark.parametrize(
    ("took_s", "interval_s", "pause"),
    [
        (0.0, 1.0, 1.0),
        (0.023, 1.0, 0.977),
        (0.08, 1.0, 1.6),
        (2.0, 1.0, 2.0),
        (0.0003, 0.2, 0.1997),
        (0.023, 0.2, 0.46),
        (2.0, 30.0, 28.0),
    ],
)
def test_what_takes_long_is_done_seldom_but_not_too_seldom(
    took_s: float, interval_s: float, pause: float
) -> None:
    assert pause_s(took_s, interval_s=interval_s) == pytest.approx(pause)


@pytest.fixture
def running(device: FakeDevice) -> Iterator[Callable[[float], Sampler]]:
    started = []

    def start(interval_s: float) -> Sampler:
        made = Sampler("http", device, interval_s=interval_s, max_w=30.0)
        made.start()
        started.append(made)
        return made

    yield start
    for made in started:
        made.close()


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        Event().wait(0.005)


def test_it_is_asked_in_the_background_until_it_is_closed(
    running: Callable[[float], Sampler], device: FakeDevice
) -> None:
    meter = running(0.01)
    wait_for(lambda: meter.tell().power_w == 5.0)
    device.answer = Reading(watts=7.0)
    wait_for(lambda: meter.tell().power_w == 7.0)
    meter.close()
    device.answer = Reading(watts=8.0)
    assert meter.tell().power_w == 7.0


def test_a_reading_that_hangs_holds_up_neither_heartbeats_nor_the_end(
    running: Callable[[float], Sampler], device: FakeDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampler, "_CLOSE_S", 0.05)
    let_go = Event()

    def hang() -> Reading:
        let_go.wait(WAIT_S)
        return Reading(watts=5.0)

    monkeypatch.setattr(device, "read", hang)
    meter = running(0.01)
    assert meter.tell().power_w is None
    meter.close()
    let_go.set()


# -- selection ----------------------------------------------------------------------------


def kind(settings: MeterSettings | None, board: str) -> str:
    meter = selection.power_meter(settings, board)
    return "" if meter is None else meter.tell().meter


@pytest.mark.parametrize(
    "board",
    ["Raspberry Pi 5 Model B Rev 1.0", "Raspberry Pi 500 Rev 1.0", "Raspberry Pi Compute Module 5"],
)
def test_boards_that_measure_their_own_power(board: str) -> None:
    assert kind(None, board) == "pmic"


def test_other_machines_have_what_the_kernel_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hwmon, "sensors", list)
    monkeypatch.setattr(rapl, "readable", lambda: False)
    assert kind(None, "Raspberry Pi 4 Model B Rev 1.5") == ""
    monkeypatch.setattr(rapl, "readable", lambda: True)
    assert kind(None, "x86_64") == "rapl"
    monkeypatch.setattr(hwmon, "sensors", lambda: ["hwmon0"])
    assert kind(None, "Raspberry Pi 4 Model B Rev 1.5") == "hwmon"


def test_what_the_settings_name_comes_first() -> None:
    plug = MeterSettings(type="shelly", url="http://198.18.0.90")
    assert kind(plug, "Raspberry Pi 5 Model B Rev 1.0") == "shelly"


def test_a_type_that_only_a_newer_gateway_knows_is_a_fault_in_words() -> None:
    meter = selection.power_meter(MeterSettings(type="kasa"), "x86_64")
    assert meter is not None
    meter.sample()
    assert "kasa is of none of the types pmic, hwmon" in meter.tell().meter_fault


# -- settings -----------------------------------------------------------------------------


def node(tmp_path: Path, meter: MeterSettings | None) -> NodeSettings:
    return NodeSettings(node_id="pi", cache_dir=tmp_path, meter=meter, board="rpi5-8gb")


@pytest.mark.parametrize(
    "meter",
    [None, MeterSettings(type="http", url="http://198.18.0.90/x", watts_at="a.0", max_w=20.0)],
)
def test_settings_arrive_as_they_were_sent(tmp_path: Path, meter: MeterSettings | None) -> None:
    sent = node(tmp_path, meter)
    assert NodeSettings.of_message(sent.to_message()) == sent


def test_a_board_is_what_the_operator_calls_it(tmp_path: Path) -> None:
    service = NodeService(node(tmp_path, None))
    try:
        assert service.describe().board == "rpi5-8gb"
    finally:
        service.close()


def test_versions_of_gateway_and_node_may_differ(tmp_path: Path) -> None:
    sent = node(tmp_path, MeterSettings(type="pmic"))
    message = sent.to_message()
    older = {key: value for key, value in message.items() if key not in ("meter", "board")}
    assert NodeSettings.of_message(older) == replace(sent, meter=None, board="")
    message["meter"] |= {"phase": 3}
    assert NodeSettings.of_message(message) == sent
