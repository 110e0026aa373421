"""`farm sim run`: what it prints, in which form, and how it ends."""

import json
from pathlib import Path

import pytest
from commands import fails, farm

SCENARIO = """
requests: 60
nodes: [{board: rpi5, count: 2, slots: 2}]
models: {mobilenetv2: {max_batch_size: 4}, tiny: {max_batch_size: 16}}
arrivals: {kind: poisson, load: 0.5}
mix:
  - {model: mobilenetv2, client: camera}
  - {model: tiny}
"""


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    file = tmp_path / "scenario.yaml"
    file.write_text(SCENARIO, encoding="utf-8")
    return file


def test_a_report_has_the_farm_its_requests_and_its_nodes(scenario: Path) -> None:
    result = farm("sim", "run", str(scenario))
    assert result.exit_code == 0, result.output
    for word in ("least_expected_completion", "mobilenetv2 of camera", "tiny", "rpi5-1", "rpi5-2"):
        assert word in result.stdout
    # How long it took is no part of the report: that would differ from run to run.
    assert "real time" in result.stderr
    assert "real time" not in result.stdout


def test_several_policies_stand_in_one_table(scenario: Path) -> None:
    policies = ("round_robin", "baseline_round_robin")
    wanted = [part for name in policies for part in ("--policy", name)]
    result = farm("sim", "run", str(scenario), *wanted)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    rows = [line for line in lines if any(f" {name} " in line for name in policies)]
    assert len(rows) == 2
    assert "rpi5-1" not in result.stdout


def test_json_holds_every_report(scenario: Path) -> None:
    wanted = ("--policy", "round_robin", "--seed", "7", "--requests", "20")
    result = farm("sim", "run", str(scenario), *wanted, "--output", "json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["schema_version"] == 1
    [report] = document["reports"]
    assert (report["policy"], report["seed"], report["offered"]) == ("round_robin", 7, 20)
    assert report["lost"] == 0
    assert {node["node"] for node in report["nodes"]} == {"rpi5-1", "rpi5-2"}
    assert report["latency"]["p99_ms"] >= report["latency"]["p50_ms"] > 0


def test_an_unknown_policy_names_the_known_ones(scenario: Path) -> None:
    said = fails(2, "sim", "run", str(scenario), "--policy", "best")
    assert "--policy: there is no policy 'best'; known are least_expected_completion" in said


def test_a_wrong_scenario_names_file_and_key(scenario: Path) -> None:
    scenario.write_text(SCENARIO + "colour: red\n", encoding="utf-8")
    assert f"{scenario}: colour: " in fails(2, "sim", "run", str(scenario))


def test_a_wrong_trace_names_file_and_line(tmp_path: Path) -> None:
    trace = tmp_path / "run.jsonl"
    trace.write_text("{}\n", encoding="utf-8")
    assert f"{trace}, line 1: format" in fails(2, "sim", "run", "--trace", str(trace))


@pytest.mark.parametrize("both", [False, True])
def test_either_a_scenario_or_a_trace(scenario: Path, both: bool) -> None:
    arguments = [str(scenario), "--trace", str(scenario)] if both else []
    result = farm("sim", "run", *arguments)
    assert result.exit_code == 2
    assert "give either a scenario or --trace" in result.output


def test_lost_requests_are_a_failure(scenario: Path) -> None:
    lossy = "faults: [{kind: lossy, node: rpi5-1, at_s: 0, fraction: 1}]\nsettle_s: 1\n"
    scenario.write_text(SCENARIO + lossy, encoding="utf-8")
    result = farm("sim", "run", str(scenario), "--policy", "baseline_round_robin")
    assert result.exit_code == 1
    assert "accepted requests had no reply" in result.stderr
