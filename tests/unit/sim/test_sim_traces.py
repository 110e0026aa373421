"""Traces: what the recorder writes, how it is replayed, and every way in which one is bad."""

from collections.abc import Callable
from pathlib import Path
from queue import Full, Queue
from typing import Any

import pytest
import yaml
from recordings import COMPUTE_S, CURVE, DIGEST, OVERHEAD_S, lines, record, rewrite

from farm.core.errors import ConfigurationError
from farm.engine.trace import TraceRecorder
from farm.engine.trace_format import FORMAT
from farm.sim.from_scenario import read_scenario, replay, setup_of
from farm.sim.setup import Setup
from farm.sim.simulation import simulate

Lines = list[dict[str, Any]]


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    file = tmp_path / "run.jsonl"
    record(file)
    return file


def setup(trace: Path) -> Setup:
    return setup_of(replay(trace), file=trace)


def test_a_recording_says_what_it_is_and_numbers_its_lines(trace: Path) -> None:
    written = lines(trace)
    assert written[0]["format"] == FORMAT
    assert written[0]["version"] == 1
    assert [line["seq"] for line in written] == list(range(len(written)))
    assert all(line["at"] >= 0 for line in written[1:])


def test_no_client_is_named(trace: Path, tmp_path: Path) -> None:
    text = trace.read_text(encoding="utf-8")
    assert "lab" not in text
    clients = {line["client"] for line in lines(trace) if line.get("kind") == "request"}
    assert len(clients) == 1
    again = tmp_path / "again.jsonl"
    record(again)
    assert clients.isdisjoint(line.get("client") for line in lines(again))


def test_a_recording_never_overwrites(trace: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"--record: .*run.jsonl exists; name another"):
        TraceRecorder(trace)


def test_a_recording_needs_a_place_to_write(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be written"):
        TraceRecorder(tmp_path / "none" / "run.jsonl")


def test_nodes_have_their_recorded_curves_corrected_by_their_batches(trace: Path) -> None:
    first = setup(trace).nodes[0]
    assert (first.node_id, first.board, first.slots) == ("a", "bench", 2)
    factor = COMPUTE_S / CURVE.seconds(1)
    assert first.curves[DIGEST].seconds(4) == pytest.approx(CURVE.seconds(4) * factor)
    assert first.link.base_s == pytest.approx(OVERHEAD_S / 2, rel=0.01)
    assert max(first.link.delays_s) == pytest.approx(0, abs=1e-5)


def test_a_replay_is_like_the_run(trace: Path) -> None:
    report = simulate(setup(trace), "least_expected_completion")
    assert report.answered == 20
    assert report.lost == 0
    assert report.latency.p50_ms == pytest.approx((COMPUTE_S + OVERHEAD_S) * 1e3, rel=0.02)
    assert report.recorded["answered"] == 20
    assert report.recorded["p50_ms"] == pytest.approx(report.latency.p50_ms, rel=0.02)
    # The other one was cordoned.
    assert [node.requests for node in report.nodes] == [20, 0]


def test_nodes_are_away_when_they_were(trace: Path) -> None:
    made = setup(trace)
    assert [(f.node_id, f.at_s, f.for_s) for f in made.faults] == [("a", 10.0, 2.0)]


def test_a_scenario_replays_a_trace_beside_it(trace: Path) -> None:
    file = trace.parent / "scenario.yaml"
    content = {
        "arrivals": {"kind": "trace", "file": trace.name},
        "requests": 5,
        "policy": "round_robin",
        "faults": [{"kind": "slow", "node": "a", "at_s": 0, "factor": 3}],
    }
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    scenario = read_scenario(file)
    report = simulate(setup_of(scenario, file=file), scenario.policy)
    assert report.answered == 5
    assert report.latency.p50_ms == pytest.approx((3 * COMPUTE_S + OVERHEAD_S) * 1e3, rel=0.02)


def test_a_request_that_was_late_when_it_came_is_late_again(trace: Path) -> None:
    written = lines(trace)
    place = next(n for n, line in enumerate(written) if line.get("kind") == "request")
    written[place]["deadline_s"] = -0.5
    rewrite(trace, written)
    report = simulate(setup(trace), "least_expected_completion")
    assert report.refused == {"deadline_exceeded": 1}
    assert report.answered == 19


def without(*kinds: str) -> Callable[[Lines], Lines]:
    def change(content: Lines) -> Lines:
        kept = [line for line in content if line.get("kind") not in kinds]
        return [{**line, "seq": number} for number, line in enumerate(kept)]

    return change


def with_line(number: int, **changes: Any) -> Callable[[Lines], Lines]:
    def change(content: Lines) -> Lines:
        content[number - 1] = {**content[number - 1], **changes}
        return content

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda content: content[:4] + content[5:], "line 5: seq is 5, not 4: lines are missing"),
        (lambda content: content[1:], f"line 1: format is missing or not '{FORMAT}'"),
        (with_line(1, format="other"), "line 1: format is missing or not"),
        (with_line(1, version=2), "line 1: version is 2, this farm reads 1"),
        (with_line(9, at=0.1), "line 9: at is 0.1 s, before the 1 s of the line above"),
        (with_line(9, at="soon"), "line 9: at: Input should be a valid number"),
        (with_line(9, at=-1), "line 9: at: Input should be greater than or equal to 0"),
        (with_line(4, kind="wish"), "line 4: kind: Input tag 'wish'"),
        (with_line(3, slots=0), "line 3: slots: Input should be greater than or equal to 1"),
        (with_line(5, curves={"d": {"threads": 0, "points": []}}), "line 5: curves.d.points:"),
        (
            with_line(5, curves={"d": {"threads": 0, "points": [[1, 0.0]]}}),
            "line 5: curves.d.points.0.1: Input should be greater than 0",
        ),
        (
            with_line(5, curves={"d": {"threads": 0, "points": [[1, 0.1], [1, 0.2]]}}),
            "line 5: curves.d.points: Value error, rows must ascend",
        ),
        (without("node_joined"), "line 3: node: 'a' has not joined before this line"),
        (with_line(5, node="c"), "line 5: node: 'c' has not joined before this line"),
        (with_line(9, node="c"), "line 9: node: 'c' has not joined before this line"),
        (with_line(8, rows=1 << 40), "line 8: rows: Input should be less than or equal to"),
        (without("node_joined", "node_changed", "batch"), "kind: there is no node_joined line"),
        (without("request"), "kind: there is no request line"),
        (without("node_changed"), "line 5: model: no curve of net:3 was recorded on any node"),
    ],
)
def test_a_bad_trace_is_named_with_file_line_and_key(
    trace: Path, change: Callable[[Lines], Lines], said: str
) -> None:
    rewrite(trace, change(lines(trace)))
    with pytest.raises(ConfigurationError) as error:
        setup(trace)
    assert str(trace) in error.value.message
    assert said in error.value.message


def test_a_trace_that_was_cut_off(trace: Path) -> None:
    text = trace.read_text(encoding="utf-8")
    trace.write_text(text[:-9], encoding="utf-8")
    number = len(text.splitlines())
    with pytest.raises(ConfigurationError, match=f"line {number}: the line is cut off"):
        setup(trace)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty; it is no trace"),
        (b"hello\n", "line 1: format is missing"),
        (b"\xff\xfe\x00\x01", "is not a trace: it is not text"),
        (b"[1]\n", "line 1: format is missing"),
        (b"[" * 100_000, "line 1: format is missing"),
    ],
)
def test_a_foreign_file(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "foreign"
    file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=said):
        setup(file)


def test_a_trace_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        setup(tmp_path / "none.jsonl")


class FullOnce(Queue[Any]):
    """A queue that has no room for its fifth line."""

    offered = 0

    def put_nowait(self, item: Any) -> None:
        self.offered += 1
        if self.offered == 5:
            raise Full
        super().put_nowait(item)


def test_a_disk_that_cannot_keep_up_leaves_a_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("farm.engine.trace.Queue", FullOnce)
    file = tmp_path / "run.jsonl"
    record(file)
    with pytest.raises(ConfigurationError, match="line 5: seq is 5, not 4: lines are missing"):
        setup(file)
