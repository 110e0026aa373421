"""Measured curves: their sizes, their bounds, what they do without rows that run."""

from pathlib import Path
from threading import Barrier, Lock
from typing import Any

import onnx_models
import pytest

from farm.core.models import LatencyCurve
from farm.node.latency import measure_curve
from farm.node.rows import Rows
from farm.node.sessions import Session
from farm.node.settings import NodeSettings

WAIT_S = 10.0


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session(onnx_models.write(tmp_path, onnx_models.doubles()), threads=1)


class Watched:
    """A session that tells how it is run; `together` runs wait for each other."""

    def __init__(self, session: Session, together: int = 1) -> None:
        self.session = session
        self.output_names = session.output_names
        self.rows: list[int] = []
        self.most = 0
        self._running = 0
        self._lock = Lock()
        self._all = Barrier(together)

    def run(self, _model: str, feeds: dict[str, Any]) -> object:
        with self._lock:
            self.rows.append(len(feeds["x"]))
            self._running += 1
            self.most = max(self.most, self._running)
        self._all.wait(WAIT_S)
        with self._lock:
            self._running -= 1
        return self.session.run("", feeds)


def measured(watched: Any, **bounds: Any) -> LatencyCurve:
    curve = tried(watched, **bounds)
    assert curve is not None
    return curve


def tried(watched: Any, **bounds: Any) -> LatencyCurve | None:
    rows = Rows(watched.session.inputs, [])
    kept = {"threads": 1, "capacity": 1, "max_rows": 64, "budget_s": 60.0, **bounds}
    return measure_curve(watched, rows, **kept)


@pytest.mark.parametrize(
    ("max_rows", "sizes"), [(8, [1, 2, 4, 8]), (12, [1, 2, 4, 8]), (1, [1]), (0, [1])]
)
def test_sizes_double_up_to_the_bound(session: Session, max_rows: int, sizes: list[int]) -> None:
    curve = measured(Watched(session), max_rows=max_rows)
    assert [rows for rows, _ in curve.points] == sizes
    assert all(seconds > 0 for _, seconds in curve.points)


def test_without_a_budget_one_size_is_measured_once(session: Session) -> None:
    watched = Watched(session)
    curve = measured(watched, budget_s=0.0)
    assert [rows for rows, _ in curve.points] == [1]
    assert watched.rows == [1]


def test_a_model_that_sample_rows_do_not_run_on_has_no_curve(tmp_path: Path) -> None:
    session = Session(onnx_models.write(tmp_path, onnx_models.triples(), "t.onnx"), threads=1)
    assert tried(Watched(session)) is None


def test_as_many_batches_run_at_once_as_the_threads_suffice_for(session: Session) -> None:
    # Each run ends only when two others run too.
    watched = Watched(session, together=3)
    curve = measured(watched, threads=2, capacity=6, max_rows=2)
    assert watched.most == 3
    assert curve.threads == 2
    assert [rows for rows, _ in curve.points] == [1, 2]


def test_a_model_that_fails_beside_itself_has_no_curve_and_leaves_no_thread(
    tmp_path: Path,
) -> None:
    session = Session(onnx_models.write(tmp_path, onnx_models.triples(), "t.onnx"), threads=1)
    assert tried(Watched(session, together=2), capacity=2) is None


def test_a_batch_never_takes_longer_than_a_larger_one(session: Session) -> None:
    # Two rows always find the cores taken.
    class Disturbed(Watched):
        def run(self, model: str, feeds: dict[str, Any]) -> object:
            for _ in range(50 if len(feeds["x"]) == 2 else 0):
                super().run(model, feeds)
            return super().run(model, feeds)

    curve = measured(Disturbed(session), max_rows=8)
    seconds = [seconds for _, seconds in curve.points]
    assert seconds == sorted(seconds)


@pytest.mark.parametrize(
    ("slots", "threads", "measure", "splits"),
    [
        (1, 1, True, (1,)),
        (4, 1, True, (1, 2, 4)),
        (2, 2, True, (2, 1, 4)),
        (3, 2, True, (2, 1, 3, 6)),
        (64, 1, True, (1, 2, 4, 8)),
        (1, 64, True, (64, 1, 2, 4)),
        (2, 2, False, (2,)),
    ],
)
def test_splits_leave_no_thread_over_and_begin_with_the_configured_one(
    tmp_path: Path, slots: int, threads: int, measure: bool, splits: tuple[int, ...]
) -> None:
    settings = NodeSettings(
        node_id="pi",
        cache_dir=tmp_path,
        slots=slots,
        threads_per_slot=threads,
        measure_splits=measure,
    )
    assert settings.splits == splits
