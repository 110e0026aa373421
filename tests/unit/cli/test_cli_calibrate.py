"""`farm calibrate` against a gateway that invents its answers."""

import json
from collections.abc import Iterator

import pytest
from commands import fails, farm
from fake_gateway import FakeGateway, running_gateway

from farm.core.errors import NodeBusyError


@pytest.fixture
def gateway() -> Iterator[FakeGateway]:
    with running_gateway() as running:
        yield running


def run(gateway: FakeGateway, *arguments: str) -> tuple[str, str]:
    result = farm("calibrate", *arguments, "--connect", gateway.address)
    assert result.exit_code == 0, result.output
    return result.stdout, result.stderr


def test_points_fit_and_what_was_published_are_shown(gateway: FakeGateway) -> None:
    shown, told = run(gateway, "pi-1", "--yes", "--seconds", "10")
    (asked,) = gateway.calibrations
    assert (asked.host, asked.step_ns) == ("pi-1", 10_000_000_000)
    assert "rpi5 on pi-1 by its meter (hwmon), 2023-11-14 22:13 UTC" in shown
    assert "fit error 0.06 W (1.0%)" in shown
    assert "2.8 (2.0 to 4.0)" in shown
    assert "3.00 W at 0% load" in told
    assert "9.00 W at 100% load" in told


def test_json_has_all_of_it(gateway: FakeGateway) -> None:
    shown, _ = run(gateway, "pi-1", "--yes", "-o", "json")
    found = json.loads(shown)["calibration"]
    assert (found["board"], found["host"], found["meter"]) == ("rpi5", "pi-1", "hwmon")
    assert found["idle_w"] == {"low": 2.5, "typical": 3.0, "high": 3.5}
    assert found["load_w"]["typical"] == 9.0
    assert (found["rmse_w"], found["error_share"]) == (0.06, 0.01)
    assert found["measured_at"] == "2023-11-14T22:13:20+00:00"
    assert [p["watts"] for p in found["points"]] == [3.0, 6.0, 9.0]
    assert found["points"][0]["measured_s"] == 30.0


def test_the_last_node_that_serves_is_not_set_aside_unasked(gateway: FakeGateway) -> None:
    said = fails(2, "calibrate", "pi-1", "--connect", gateway.address)
    assert "while pi-1 is calibrated no node takes batches" in said
    assert gateway.calibrations == []
    # The machine that the node is on.
    assert "no node takes batches" in fails(2, "calibrate", "h", "--connect", gateway.address)


def test_what_goes_wrong_is_one_line(gateway: FakeGateway) -> None:
    gateway.node_errors["pi-1"] = NodeBusyError("host 'pi-1' still runs batches")
    result = farm("calibrate", "pi-1", "--yes", "--connect", gateway.address)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.splitlines()[-1] == "farm: host 'pi-1' still runs batches"


def test_what_an_operator_should_know_is_said(gateway: FakeGateway) -> None:
    gateway.warning = "the calibration holds until the gateway stops"
    _, told = run(gateway, "pi-1", "--yes")
    assert "farm: the calibration holds until the gateway stops\n" in told
