"""What the screen says is wrong."""

from dataclasses import replace

import pytest
from farm_readings import model, node, snapshot

from farm.core.events import Severity
from farm.core.models import ModelState
from farm.core.nodes import NodeState
from farm.core.snapshots import FarmSnapshot, GatewayState, NodeSnapshot, NodeWork
from tui.readings.alerts import Alert, alerts
from tui.readings.reading import Reader


def told(*snapshots: FarmSnapshot) -> tuple[Alert, ...]:
    reader = Reader()
    return alerts([reader.read(each) for each in snapshots][-1])


def lines(*snapshots: FarmSnapshot) -> list[str]:
    return [f"{alert.subject} {alert.text}" for alert in told(*snapshots)]


def slowed(name: str, speed: float) -> NodeSnapshot:
    throttled = node(name, throttle_flags=0b0100)
    assert throttled.vitals is not None
    return replace(throttled, vitals=replace(throttled.vitals, speed=speed))


def test_a_farm_that_is_well_has_none() -> None:
    assert not told(snapshot(nodes=(node(),), models=(model(),)))


@pytest.mark.parametrize(
    ("wrong", "severity", "text"),
    [
        (node("b", state=NodeState.LOST, reason="silent for 10 s", throttle_flags=0xF,
              temperature_c=90.0, meter_fault="no route"),
         Severity.ERROR, "b lost: silent for 10 s"),
        (node("b", state=NodeState.EJECTED), Severity.ERROR, "b ejected"),
        (node("b", throttle_flags=0x10001),
         Severity.ERROR, "b under-voltage: its supply or cable is weak"),
        (node("b", state=NodeState.SUSPECT, reason="3 failures"),
         Severity.WARNING, "b suspect: 3 failures"),
        (node("b", throttle_flags=0b0100), Severity.WARNING, "b throttled"),
        (node("b", throttle_flags=0b1010),
         Severity.WARNING, "b throttled: clock capped, soft temperature limit"),
        (slowed("b", 0.6), Severity.WARNING, "b throttled: at 60% of its clock"),
        (slowed("b", 0.0), Severity.WARNING, "b throttled"),
        (node("b", temperature_c=80.0), Severity.WARNING, "b hot: 80 °C"),
        (node("b", meter_fault="no route to it"),
         Severity.WARNING, "b meter lost: no route to it"),
    ],
)  # fmt: skip
def test_a_node_that_is_not(wrong: NodeSnapshot, severity: Severity, text: str) -> None:
    (alert,) = told(snapshot(nodes=(node("a"), wrong)))
    assert (alert.severity, f"{alert.subject} {alert.text}", alert.nodes) == (
        severity, text, ("b",),
    )  # fmt: skip


def test_what_was_since_the_start_is_no_alert() -> None:
    assert not told(snapshot(nodes=(node(throttle_flags=0xF0000, temperature_c=79.9),)))


def test_many_of_a_kind_are_one_line() -> None:
    lost = tuple(node(f"pi-{number}", state=NodeState.LOST) for number in range(5))
    (alert,) = told(snapshot(nodes=(node("a"), *lost)))
    assert alert.subject == "5 nodes"
    assert alert.text == "lost: pi-0, pi-1, pi-2 and 2 more"
    assert alert.places == [("lost", f"pi-{number}") for number in range(5)]


def test_the_worst_comes_first() -> None:
    wrong = told(
        snapshot(
            nodes=(node("hot", temperature_c=85.0), node("gone", state=NodeState.LOST)),
            models=(model("digits", state=ModelState.UNAVAILABLE, reason="no node can hold it"),),
        )
    )
    assert [alert.subject for alert in wrong] == ["digits:1", "gone", "hot"]


@pytest.mark.parametrize(
    ("states", "severity", "text"),
    [
        ((), Severity.ERROR, "no node is ready: none has joined"),
        ((NodeState.CORDONED, NodeState.CORDONED), Severity.ERROR,
         "no node is ready: 2 cordoned"),
        ((NodeState.JOINING,), Severity.WARNING, "no node is ready: 1 joining"),
    ],
)  # fmt: skip
def test_no_node_ready(states: tuple[NodeState, ...], severity: Severity, text: str) -> None:
    nodes = tuple(node(f"pi-{number}", state=state) for number, state in enumerate(states))
    (alert,) = told(snapshot(nodes=nodes))
    assert (alert.severity, alert.text, alert.places) == (
        severity, text, [("no node is ready", "farm")],
    )  # fmt: skip


def test_nodes_that_are_all_suspect_serve_nevertheless() -> None:
    nodes = tuple(node(f"pi-{number}", state=NodeState.SUSPECT) for number in range(3))
    farm, *others = told(snapshot(nodes=nodes))
    assert farm.text == "no node is ready: 3 suspect, tried all the same"
    assert {alert.severity for alert in (farm, *others)} == {Severity.WARNING}


def test_a_gateway_that_drains() -> None:
    assert lines(snapshot(nodes=(node(),), state=GatewayState.DRAINING)) == [
        "gateway drains: it takes no requests"
    ]


def queue(*queued: int) -> list[str]:
    return lines(
        *(
            snapshot(at, nodes=(node(),), models=(model(queued=waiting, latencies={3: 50 * at}),))
            for at, waiting in enumerate(queued)
        )
    )


def test_a_queue_that_grows() -> None:
    assert queue(*range(10, 110, 10)) == ["queue grows: 100 requests wait, 2.0 s at this rate"]


@pytest.mark.parametrize("queued", [(50,) * 10, (0, 90) * 10, tuple(range(200, 0, -10)), (5, 9)])
def test_a_queue_that_does_not(queued: tuple[int, ...]) -> None:
    assert not queue(*queued)


def test_requests_and_batches_that_fail() -> None:
    assert lines(
        snapshot(0, nodes=(node(),), models=(model(),)),
        snapshot(10, nodes=(node(work=NodeWork(failures_total=3)),), models=(model(failures=20),)),
    ) == ["digits:1 requests fail: 2.0 a second", "pi-01 batches fail: 3 in 10 s"]
