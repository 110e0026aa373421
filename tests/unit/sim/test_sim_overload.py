"""A farm that is asked for more than it can do goes on doing all that it can."""

from pathlib import Path
from typing import Any

import pytest
from little_sim import report_on

from farm.scheduling.placement import EnergyAware, LeastExpectedCompletion

TIMES = (2, 10)
# A row takes the quicker boards 16 ms and the slower one 94.
DEADLINES_S = (0.15, 0.5)
MODEL = "mobilenetv2"


def overloaded(folder: Path, times: float, **changes: Any) -> Any:
    return report_on(
        folder,
        requests=None,
        duration_s=4,
        warmup_s=1,
        arrivals={"kind": "poisson", "load": times},
        **changes,
    )


@pytest.mark.parametrize("deadline_s", DEADLINES_S)
@pytest.mark.parametrize("times", TIMES)
@pytest.mark.parametrize("policy", (LeastExpectedCompletion.name, EnergyAware.name))
def test_goodput_holds_whatever_the_deadline(
    tmp_path: Path, policy: str, times: float, deadline_s: float
) -> None:
    mix = [{"model": MODEL, "deadline_s": deadline_s}]
    report = overloaded(tmp_path, times, policy=policy, mix=mix)
    assert report.share_of_capacity >= 0.9
    # Nothing ran that was late.
    assert report.wasted_rows == 0


MIXES = {
    "two deadlines": ({"deadline_s": 0.15}, {"deadline_s": 2.0}),
    "two priorities": ({"priority": 1}, {"priority": 2}),
    "two sizes": ({"rows": 1}, {"rows": 4}),
    "a flood beside a polite client": ({"client": "polite"}, {"client": "flood", "share": 9}),
}


@pytest.mark.parametrize("times", TIMES)
@pytest.mark.parametrize("name", MIXES)
def test_goodput_holds_in_mixed_company(tmp_path: Path, name: str, times: float) -> None:
    mix = [{"model": MODEL, "deadline_s": 0.5, **demand} for demand in MIXES[name]]
    report = overloaded(tmp_path, times, mix=mix)
    assert report.share_of_capacity >= 0.9
    assert report.wasted_rows == 0


def test_noise_costs_a_tenth_at_most(tmp_path: Path) -> None:
    nodes = [{"board": "rpi5", "count": 2, "slots": 2, "service_cv": 0.3}]
    mix = [{"model": MODEL, "deadline_s": 0.3}]
    assert overloaded(tmp_path, 10, nodes=nodes, mix=mix).share_of_capacity >= 0.9
