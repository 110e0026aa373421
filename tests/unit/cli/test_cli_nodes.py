"""`farm nodes describe`, `cordon`, `uncordon` and `drain` against a small gateway."""

import json
from collections.abc import Iterator
from threading import Timer

import pytest
from commands import fails, farm, ok
from fake_gateway import FakeGateway, running_gateway

from farm.cli import node_control, node_details
from farm.core import draining
from farm.core.errors import NodeLostError, UnreachableError
from farm.pb.farm_admin_pb2 import NodeSnapshot


@pytest.fixture
def gateway() -> Iterator[FakeGateway]:
    with running_gateway() as made:
        yield made


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_control, "_LOOK_S", 0.05)
    monkeypatch.setattr(draining, "SETTLE_S", 0.0)


def document(text: str) -> list[dict]:
    found = json.loads(text)
    assert found["schema_version"] == 1
    return found["nodes"]


# -- describe -------------------------------------------------------------------------


def test_a_node_in_depth(gateway: FakeGateway) -> None:
    text = ok("nodes", "describe", "pi-1", "--connect", gateway.address)
    for words in ("Raspberry Pi 5, 4 cores of cortex-a76", "0.2 s ago", "52 °C", "echo:2"):
        assert words in text
    assert "unknown: no vcgencmd there" in text
    assert "4.2 W (4.0 to 4.5), measured, meter pmic" in text
    silent = ok("nodes", "describe", "pi-2", "--connect", gateway.address)
    assert "joining (waiting for its actor)" in silent
    assert "temperature" not in silent


def test_a_node_in_depth_as_json(gateway: FakeGateway) -> None:
    found = json.loads(ok("nodes", "describe", "pi-1", "--connect", gateway.address, "-o", "json"))
    node = found["node"]
    assert (node["node"], node["state"], node["inflight_batches"]) == ("pi-1", "ready", 1)
    assert node["throttle_flags"] is None
    power = {"watts": 4.25, "low_w": 4.0, "high_w": 4.5, "source": "measured"}
    assert (node["power"], node["meter"], node["meter_fault"]) == (power, "pmic", None)
    assert node["models"] == [
        {"name": "echo", "version": 2, "digest": "d" * 64},
        {"name": "gone", "version": 1, "digest": ""},
    ]


def test_a_meter_that_does_not_count_is_shown_with_its_reason() -> None:
    node = NodeSnapshot(node_id="pi-1", incarnation="i", meter="shelly", meter_fault="no answer")
    node.power.watts, node.power.source = 3.0, "modelled"
    assert (
        "3.0 W (0.0 to 0.0), modelled; its meter (shelly) does not count: no answer"
        in (dict(node_details._rows(node))["power of its host"])
    )


def test_an_unknown_node_is_named_with_those_there_are(gateway: FakeGateway) -> None:
    for command in ("describe", "cordon", "uncordon", "drain"):
        message = fails(1, "nodes", command, "pi-9", "--connect", gateway.address)
        assert message == "farm: the farm has no node 'pi-9'; it has pi-1, pi-2\n"


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (None, []),
        (0, []),
        (0x5, ["under-voltage", "throttled"]),
        (0x50005, ["under-voltage", "throttled"]),
        (0xA0008, ["soft temperature limit", "clock capped since it booted"]),
    ],
)
def test_throttling_in_words(flags: int | None, words: list[str]) -> None:
    node = NodeSnapshot() if flags is None else NodeSnapshot(throttle_flags=flags)
    assert node_details.throttling(node) == words


# -- cordon and uncordon --------------------------------------------------------------


def test_cordon_and_uncordon(gateway: FakeGateway) -> None:
    text = ok("nodes", "cordon", "pi-2", "--connect", gateway.address)
    assert gateway.cordoned == {"pi-2"}
    (line,) = [line for line in text.splitlines() if "pi-2" in line]
    assert "cordoned" in line
    (found,) = document(ok("nodes", "uncordon", "pi-2", "--connect", gateway.address, "-o", "json"))
    assert found == {
        "node": "pi-2",
        "state": "joining",
        "inflight_batches": 0,
        "result": "uncordoned",
        "error": None,
    }
    assert gateway.cordoned == set()


@pytest.mark.parametrize("command", ["cordon", "drain"])
def test_the_last_node_that_takes_batches_is_not_taken_out_by_mistake(
    gateway: FakeGateway, command: str
) -> None:
    message = fails(2, "nodes", command, "pi-1", "pi-2", "--connect", gateway.address)
    assert "without pi-1 no node takes batches" in message
    assert "--yes" in message
    assert gateway.cordoned == set()
    ok("nodes", "cordon", "pi-1", "--yes", "--connect", gateway.address)
    assert gateway.cordoned == {"pi-1"}
    # There is none left to be the last one.
    ok("nodes", "cordon", "pi-2", "--connect", gateway.address)


@pytest.mark.parametrize("command", ["cordon", "drain", "uncordon"])
def test_a_dry_run_changes_nothing(gateway: FakeGateway, command: str) -> None:
    gateway.cordoned = {"pi-2"}
    arguments = ["--dry-run", "--connect", gateway.address, "-o", "json"]
    yes = [] if command == "uncordon" else ["--yes"]
    found = document(ok("nodes", command, "pi-1", "pi-2", *yes, *arguments))
    results = {outcome["node"]: outcome["result"] for outcome in found}
    if command == "uncordon":
        assert results == {"pi-1": "is uncordoned already", "pi-2": "would be uncordoned"}
    else:
        assert results == {"pi-1": "would be cordoned", "pi-2": "is cordoned already"}
    assert gateway.cordoned == {"pi-2"}


def test_one_node_that_cannot_be_told_is_said_and_the_others_are_done(
    gateway: FakeGateway,
) -> None:
    gateway.node_errors["pi-2"] = NodeLostError("node 'pi-2' is not up")
    result = farm("nodes", "cordon", "pi-2", "pi-1", "--yes", "--connect", gateway.address)
    assert result.exit_code == 3
    assert result.stderr == "farm: node 'pi-2' is not up\n"
    assert gateway.cordoned == {"pi-1"}
    gateway.node_errors["pi-2"] = UnreachableError("node 'pi-2' did not answer")
    result = farm("nodes", "uncordon", "pi-2", "--connect", gateway.address)
    assert result.exit_code == 4


# -- drain ----------------------------------------------------------------------------


def test_drain_waits_until_nothing_is_in_flight_and_says_what_is(gateway: FakeGateway) -> None:
    gateway.inflight["pi-1"] = 2
    Timer(0.5, lambda: gateway.inflight.update({"pi-1": 0})).start()
    result = farm("nodes", "drain", "pi-1", "--yes", "--connect", gateway.address, "-o", "json")
    assert result.exit_code == 0
    assert "draining pi-1: 2 batches in flight\n" in result.stderr
    (found,) = document(result.stdout)
    assert (found["state"], found["result"], found["inflight_batches"]) == (
        "cordoned", "drained", 0,
    )  # fmt: skip


def test_drain_gives_up_when_its_time_is_over_and_says_what_is_left(gateway: FakeGateway) -> None:
    command = ["nodes", "drain", "pi-1", "--yes", "--connect", gateway.address]
    result = farm(*command, "--timeout", "0.4")
    assert result.exit_code == 1
    assert "'pi-1' is not drained after 0.4 s: 1 batch in flight" in result.stderr
    assert "farm nodes uncordon pi-1" in result.stderr
    assert gateway.cordoned == {"pi-1"}
    result = farm(*command, "pi-2", "--timeout", "0.4", "-o", "json")
    assert result.exit_code == 3
    assert [found["result"] for found in document(result.stdout)] == ["failed", "drained"]


def test_drain_of_a_node_that_cannot_be_told_does_not_wait(gateway: FakeGateway) -> None:
    gateway.node_errors["pi-2"] = NodeLostError("node 'pi-2' is not up")
    message = farm("nodes", "drain", "pi-2", "--connect", gateway.address)
    assert (message.exit_code, message.stderr) == (1, "farm: node 'pi-2' is not up\n")
