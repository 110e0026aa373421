"""Small scenarios for tests, and reports on them."""

from pathlib import Path
from typing import Any

import yaml
from pytest import approx

from farm.sim.from_scenario import read_scenario, setup_of
from farm.sim.report import Report
from farm.sim.setup import Setup
from farm.sim.simulation import simulate

LITTLE: dict[str, Any] = {
    "requests": 200,
    "nodes": [{"board": "rpi5", "count": 2, "slots": 2}, {"board": "rpi4b", "slots": 2}],
    "models": {"mobilenetv2": {"max_batch_size": 4}},
    "arrivals": {"kind": "poisson", "load": 0.7},
    "mix": [{"model": "mobilenetv2"}],
}


def write(folder: Path, **changes: Any) -> Path:
    """Write the little scenario with changes; None takes a key away."""
    content = {k: v for k, v in {**LITTLE, **changes}.items() if v is not None}
    file = folder / "scenario.yaml"
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    return file


def little_setup(folder: Path, **changes: Any) -> Setup:
    file = write(folder, **changes)
    return setup_of(read_scenario(file), file=file)


def report_on(folder: Path, *, policy: str = "least_expected_completion", **changes: Any) -> Report:
    """Simulate the little scenario and check what must hold of every report."""
    report = simulate(little_setup(folder, **changes), policy)
    assert report.offered == report.accepted + sum(report.refused.values())
    assert report.accepted == report.answered + sum(report.failed.values()) + report.lost
    assert report.answered == sum(node.requests for node in report.nodes)
    assert all(0 <= node.utilisation <= 1 + 1e-9 for node in report.nodes)
    energy = report.energy
    assert energy is not None
    charged_j = energy.settled_j + energy.idle_j + energy.open_j
    assert charged_j == approx(energy.drawn_j, rel=1e-9)
    rows = sum(node.rows for node in report.nodes)
    if report.joules_per_row is not None:
        assert energy.drawn_j == approx(report.joules_per_row * rows, rel=1e-6)
    assert 0 <= energy.wasted_j <= energy.settled_j
    return report
