"""The measured curve: its sizes, its bounds, and what it does without rows that run."""

from pathlib import Path
from typing import Any

import onnx_models
import pytest

from farm.node.latency import measure_curve
from farm.node.rows import Rows
from farm.node.sessions import Session


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session(onnx_models.write(tmp_path, onnx_models.doubles()), threads=1)


@pytest.mark.parametrize(
    ("max_rows", "sizes"), [(8, [1, 2, 4, 8]), (12, [1, 2, 4, 8]), (1, [1]), (0, [1])]
)
def test_sizes_double_up_to_the_bound(session: Session, max_rows: int, sizes: list[int]) -> None:
    curve = measure_curve(session, Rows(session.inputs, []), max_rows=max_rows, budget_s=60.0)
    assert curve is not None
    assert [rows for rows, _ in curve.points] == sizes
    assert all(seconds > 0 for _, seconds in curve.points)


def test_without_a_budget_one_size_is_measured_once(session: Session) -> None:
    runs = []

    class Counted:
        def run(self, model: str, feeds: dict[str, Any]) -> object:
            runs.append(len(feeds["x"]))
            return session.run(model, feeds)

    counted: Any = Counted()
    curve = measure_curve(counted, Rows(session.inputs, []), max_rows=64, budget_s=0.0)
    assert curve is not None
    assert [rows for rows, _ in curve.points] == [1]
    assert runs == [1]


def test_a_model_that_sample_rows_do_not_run_on_has_no_curve(tmp_path: Path) -> None:
    session = Session(onnx_models.write(tmp_path, onnx_models.triples(), "t.onnx"), threads=1)
    assert measure_curve(session, Rows(session.inputs, []), max_rows=8, budget_s=1.0) is None
