"""Scenario files that are wrong, each told apart by file and key; boards as the facts have them."""

from pathlib import Path
from typing import Any

import pytest
from little_sim import little_setup, write

from farm.core.errors import ConfigurationError
from farm.energy.boards import boards
from farm.sim.boards import figures
from farm.sim.from_scenario import read_scenario, setup_of


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"colour": "red"}, "colour: there is no such key"),
        ({"policy": "best"}, "policy: there is no policy 'best'; known are least_expected"),
        ({"seed": "x"}, "seed: Input should be a valid integer"),
        ({"nodes": None}, "nodes: there must be at least one"),
        ({"nodes": [{"board": "rpi9"}]}, "nodes[0].board: there is no board 'rpi9'; known are"),
        (
            {"nodes": [{"board": "rpi5", "count": 0}]},
            "nodes[0].count: Input should be greater than",
        ),
        (
            {"nodes": [{"board": "rpi5", "slots": 3, "threads_per_slot": 2}]},
            "nodes[0].slots: 3 slots of 2 threads are more than the 4 cores of a rpi5",
        ),
        (
            {"nodes": [{"board": "rpi5", "slots": 2, "threads_per_slot": 2}]},
            "models.mobilenetv2.threads: on a rpi5 figures are known for 1, 4 threads, not 2",
        ),
        (
            {"nodes": [{"board": "rpi-zero2w"}], "models": {"resnet50": {}, "squeezenet": {},
             "mobilenetv2": {}}},
            "nodes[0].board: the models take 310 MB",
        ),
        ({"models": {"gpt": {}}}, "models.gpt: there is no model 'gpt'; known are"),
        (
            {"models": {"mobilenetv2": {"batch": 3}}},
            "models.mobilenetv2.batch: there is no such key",
        ),
        ({"limits": {"max_queue": 3}}, "limits: there is no limit 'max_queue'; known are"),
        (
            {"limits": {"hedging": {"after": 3}}},
            "limits: there is no limit 'after'; known are after_factor",
        ),
        ({"limits": {"max_queue_size": "many"}}, "limits.max_queue_size: Input should be"),
        ({"limits": {"max_queue_size": -1}}, "limits: max_queue_size must be at least 0, not -1"),
        ({"limits": {"lookahead_trips": float("nan")}}, "limits: lookahead_trips must be at least"),
        (
            {"limits": {"hedging": {"after_factor": 0, "after_min_s": 0}}},
            "limits: after_factor must be at least 1, not 0",
        ),
        ({"limits": 3}, "limits: it must be a mapping"),
        (
            {"arrivals": {"kind": "sometimes"}},
            "arrivals.kind: there is no 'sometimes'; known are 'poisson'",
        ),
        ({"arrivals": {"kind": "poisson"}}, "arrivals: give either rate_per_s or load"),
        (
            {"arrivals": {"kind": "bursts", "load": 1, "on_s": 1, "off_s": 1, "peak": 3}},
            "arrivals: peak can be at most 2",
        ),
        ({"arrivals": {"kind": "closed"}}, "arrivals.callers: Field required"),
        ({"arrivals": {"load": 1}}, "arrivals.kind: Field required"),
        ({"arrivals": {"kind": "poisson", "load": float("inf")}}, "arrivals.load: Input should be"),
        ({"duration_s": float("inf")}, "duration_s: Input should be a finite number, not inf"),
        (
            {"nodes": [{"board": "rpi5", "link": {"base_ms": float("nan"), "mbit_per_s": 1}}]},
            "nodes[0].link.base_ms: Input should be a finite number",
        ),
        (
            {"nodes": [{"board": "rpi5", "count": 1_000_000}]},
            "nodes[0].count: Input should be less than or equal to 4096",
        ),
        ({"mix": [{"model": "tiny"}]}, "mix[0].model: there is no 'tiny' under `models`"),
        ({"mix": [{"model": "mobilenetv2", "rows": 9}]}, "mix[0].rows: 9 rows are more than"),
        ({"requests": None}, "give requests, duration_s or both"),
        (
            {"faults": [{"kind": "die", "node": "rpi5-3", "at_s": 1}]},
            "faults[0].node: there is no node 'rpi5-3'; the nodes are rpi5-1, rpi5-2, rpi4b-1",
        ),
        ({"faults": [{"kind": "melt"}]}, "faults[0].kind: there is no 'melt'; known are 'die'"),
        (
            {"faults": [{"kind": "flaky", "node": "rpi5-1", "at_s": 1, "fraction": 2}]},
            "faults[0].fraction: Input should be less than or equal to 1",
        ),
        (
            {"faults": [{"kind": "hang", "node": "rpi5-1", "at_s": 4},
             {"kind": "slow", "node": "rpi5-1", "at_s": 1, "factor": 2},
             {"kind": "hang", "node": "rpi5-1", "at_s": 1, "for_s": 3.5}]},
            "faults: [0].at_s is 4 s, but [2] is 'hang' of rpi5-1 too, until 4.5 s; let one end",
        ),
        (
            {"faults": [{"kind": "slow", "node": "rpi5-1", "at_s": 1, "factor": 2},
             {"kind": "slow", "node": "rpi5-1", "at_s": 2, "for_s": 1, "factor": 3}]},
            "faults: [1].at_s is 2 s, but [0] is 'slow' of rpi5-1 too, to the end; let one end",
        ),
        (
            {"arrivals": {"kind": "trace", "file": "t.jsonl"}},
            "nodes: a trace brings its own; leave this key out",
        ),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named_with_file_and_key(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigurationError) as error:
        little_setup(tmp_path, **changes)
    assert error.value.message.startswith(f"{tmp_path / 'scenario.yaml'}: ")
    assert said in error.value.message


@pytest.mark.parametrize(
    ("text", "said"), [("- 1", "must be a mapping"), ("a: [", "is not YAML"), ("", "mapping")]
)
def test_a_file_that_is_no_mapping(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "scenario.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=said):
        read_scenario(file)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_scenario(tmp_path / "none.yaml")


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    file = tmp_path / "scenario.yaml"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match="is not YAML"):
        read_scenario(file)


def test_limits_reach_the_scheduler(tmp_path: Path) -> None:
    setup = little_setup(tmp_path, limits={"max_queue_size": 7, "hedging": {"after_factor": 3}})
    assert setup.limits.max_queue_size == 7
    assert setup.limits.hedging is not None
    assert setup.limits.hedging.after_factor == 3


def test_a_curve_has_its_boards_figure_and_its_models_shape() -> None:
    tiny = figures().models["tiny"]
    curve = tiny.curve("rpi5", threads=1, max_rows=48)
    assert [rows for rows, _ in curve.points] == [1, 2, 4, 8, 16, 32, 48]
    assert curve.seconds(1) == pytest.approx(28e-6)
    assert curve.seconds(16) == pytest.approx(28e-6 * 2.86)


def test_every_board_has_a_figure_of_every_model() -> None:
    known = figures()
    for name, model in known.models.items():
        assert set(model.milliseconds) == set(known.boards), name
    assert set(known.boards) <= set(boards())


def test_nodes_are_counted_by_board(tmp_path: Path) -> None:
    file = write(tmp_path, nodes=[{"board": "rpi5"}, {"board": "rpi4b"}, {"board": "rpi5"}])
    names = [plan.node_id for plan in setup_of(read_scenario(file), file=file).nodes]
    assert names == ["rpi5-1", "rpi4b-1", "rpi5-2"]


def test_the_documented_example_works(tmp_path: Path) -> None:
    page = Path(__file__).parents[3] / "docs" / "simulator.md"
    _, _, rest = page.read_text(encoding="utf-8").partition("```yaml\n")
    file = tmp_path / "scenario.yaml"
    file.write_text(rest.partition("```")[0], encoding="utf-8")
    setup = setup_of(read_scenario(file), file=file)
    assert [plan.node_id for plan in setup.nodes][:3] == ["rpi5-1", "rpi5-2", "rpi4b-1"]
