"""Loads, measurements and unloads on one node: none disturbs what is ready."""

import pickle
import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from time import monotonic
from typing import Any

import numpy as np
import onnx_models
import psutil
import pytest

from farm.core.actor_messages import PROTOCOL
from farm.core.errors import (
    ErrorCode,
    FarmError,
    IntegrityError,
    InternalError,
    ModelUnavailableError,
)
from farm.core.models import ModelArtifact
from farm.node.service import NodeService
from farm.node.sessions import Session
from farm.node.settings import NodeSettings

WAIT_S = 10.0
ONES = np.ones((1, 3), np.float32)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[NodeService]:
    made = make_service(tmp_path)
    yield made
    made.close()


def make_service(folder: Path) -> NodeService:
    return NodeService(NodeSettings(node_id="pi", cache_dir=folder / "cache", curve_budget_s=5.0))


def contents(*files: bytes) -> dict[str, bytes]:
    return {onnx_models.sha256(data): data for data in files}


def golden(folder: Path, factor: int) -> bytes:
    """A golden for a model that multiplies by `factor`."""
    return onnx_models.golden_file(folder, input_x=ONES, output_y=ONES * factor)


def infer(service: NodeService, artifact: ModelArtifact, threads: int = 0) -> tuple[Any, ...]:
    """Return the reply to one row of ones."""
    head = (
        PROTOCOL, "tiny", artifact.digest, (1,), (("x", "FP32", (1, 3)),), "g-1", threads, False
    )  # fmt: skip
    reply: tuple[Any, ...] = pickle.loads(  # noqa: S301
        service.infer(pickle.dumps(head), ONES.tobytes())
    )
    return reply


def answer(service: NodeService, artifact: ModelArtifact, threads: int = 0) -> list[float]:
    """Return what a model with x [n,3] makes of one row of ones."""
    reply = infer(service, artifact, threads)
    assert reply[0] == "ok", reply
    return np.frombuffer(reply[4][0][0][3], np.float32).tolist()


def held(folder: Path) -> set[str]:
    """Return the files in the folders of models and trials."""
    cache = folder / "cache"
    places = (cache / "models", cache / "trials")
    return {path.name for place in places for path in place.rglob("*") if path.is_file()}


# -- the same digest again ------------------------------------------------------------


def test_a_digest_that_is_ready_keeps_its_session_and_folder(
    service: NodeService, tmp_path: Path
) -> None:
    data = onnx_models.doubles()
    wanted = onnx_models.artifact({"model.onnx": data})
    assert service.load(wanted, contents(data)).max_batch_size == 64
    session = service._models.session("tiny", wanted.digest)
    folder = tmp_path / "cache" / "models" / wanted.digest
    (folder / "mark").touch()
    good = golden(tmp_path, 2)
    again = replace(
        onnx_models.artifact({"model.onnx": data}, name="twin", max_batch_size=4),
        goldens=onnx_models.artifact({}, goldens={"golden/any/g.npz": good}).goldens,
    )
    report = service.load(again, contents(data, good))
    assert (report.max_batch_size, report.goldens_checked) == (4, 1)
    assert service._models.session("tiny", wanted.digest) is session
    assert (folder / "mark").exists()


def test_the_same_load_again_finds_the_same_and_tries_nothing(
    service: NodeService, tmp_path: Path
) -> None:
    data, good, better = onnx_models.doubles(), golden(tmp_path, 2), golden(tmp_path, 2)
    wanted = onnx_models.artifact({"model.onnx": data}, goldens={"golden/any/g.npz": good})
    first = service.load(wanted, contents(data, good))
    trials = [path.name for path in (tmp_path / "cache" / "trials").iterdir()]
    assert service.load(replace(wanted)) == first
    assert [path.name for path in (tmp_path / "cache" / "trials").iterdir()] == trials
    with_more = onnx_models.artifact({"model.onnx": data}, goldens={"golden/any/b.npz": better})
    service.load(with_more, contents(better))
    assert [path.name for path in (tmp_path / "cache" / "trials").iterdir()] != trials
    service.unload(wanted.digest)
    service.load(wanted)
    assert answer(service, wanted) == [2.0, 2.0, 2.0]


@contextmanager
def full_disk() -> Iterator[None]:
    """Let the disk refuse all but the smallest files, as this process sees it."""
    before, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (before, most))


def test_a_disk_that_takes_no_model_is_told_and_tried_again(
    service: NodeService, tmp_path: Path
) -> None:
    data = onnx_models.doubles()
    wanted = onnx_models.artifact({"model.onnx": data})
    with full_disk(), pytest.raises(InternalError, match="disk does not take the model's files"):
        service.load(wanted, contents(data))
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    service.load(wanted, contents(data))
    assert answer(service, wanted) == [2.0, 2.0, 2.0]


def test_a_failed_load_of_a_digest_that_is_ready_changes_nothing(
    service: NodeService, tmp_path: Path
) -> None:
    data, good, wrong = onnx_models.doubles(), golden(tmp_path, 2), golden(tmp_path, 3)
    wanted = onnx_models.artifact({"model.onnx": data}, goldens={"golden/any/good.npz": good})
    service.load(wanted, contents(data, good))
    before = held(tmp_path)
    assert before == {"model.onnx", "good.npz"}
    for goldens in ({"golden/any/wrong.npz": wrong}, {"golden/any/lost.npz": b"never sent"}):
        with pytest.raises(FarmError):
            service.load(
                onnx_models.artifact({"model.onnx": data}, goldens=goldens), contents(data, wrong)
            )
        assert answer(service, wanted) == [2.0, 2.0, 2.0]
        assert service.vitals().digests == (wanted.digest,)
        assert held(tmp_path) == before
    assert service.measure(wanted.digest)


def test_a_failed_load_leaves_nothing_of_a_new_digest(service: NodeService, tmp_path: Path) -> None:
    data, wrong = onnx_models.doubles(), golden(tmp_path, 3)
    wanted = onnx_models.artifact({"model.onnx": data}, goldens={"golden/any/wrong.npz": wrong})
    with pytest.raises(ModelUnavailableError, match="differs by up to 1"):
        service.load(wanted, contents(data, wrong))
    assert service.vitals().digests == ()
    assert held(tmp_path) == set()
    # Better goldens do not make it another model.
    service.load(replace(wanted, goldens=()), contents(data))
    assert answer(service, wanted) == [2.0, 2.0, 2.0]


def test_only_the_last_goldens_are_kept_and_an_unload_forgets_them(
    service: NodeService, tmp_path: Path
) -> None:
    data, good = onnx_models.doubles(), golden(tmp_path, 2)
    for name in ("first", "second"):
        wanted = onnx_models.artifact({"model.onnx": data}, goldens={f"golden/any/{name}": good})
        service.load(wanted, contents(data, good))
        assert held(tmp_path) == {"model.onnx", name}
    service.unload(wanted.digest)
    assert held(tmp_path) == set()


def test_a_model_damaged_on_disk_is_installed_anew(service: NodeService, tmp_path: Path) -> None:
    data = onnx_models.doubles()
    wanted = onnx_models.artifact({"model.onnx": data})
    service.load(wanted, contents(data))
    path = tmp_path / "cache" / "models" / wanted.digest / "model.onnx"
    path.write_bytes(b"rotten")
    with pytest.raises(IntegrityError, match="fetched again at the next load"):
        service.load(wanted, contents(data))
    assert answer(service, wanted) == [2.0, 2.0, 2.0]
    service.load(wanted, contents(data))
    assert path.read_bytes() == data


@pytest.mark.parametrize("fault", ["damaged", "cut", "swapped", "linked", "gone"])
def test_a_node_is_ready_no_more_for_files_that_changed_on_disk(tmp_path: Path, fault: str) -> None:
    settings = NodeSettings(node_id="n", cache_dir=tmp_path / "cache", max_sessions=1)
    node = NodeService(settings)
    try:
        data, other = onnx_models.doubles(), onnx_models.centred()
        wanted = onnx_models.artifact({"model.onnx": data})
        node.load(wanted, contents(data))
        # With one session at a time the other model closes this one's.
        node.load(onnx_models.artifact({"model.onnx": other}, name="other"), contents(other))
        path = tmp_path / "cache" / "models" / wanted.digest / "model.onnx"
        match fault:
            case "damaged":
                path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
            case "cut":
                path.write_bytes(data[: len(data) // 2])
            case "swapped":
                path.write_bytes(other)
            case "linked":
                (tmp_path / "elsewhere").write_bytes(other)
                path.unlink()
                path.symlink_to(tmp_path / "elsewhere")
            case "gone":
                path.unlink()
        kind, *_, code, _, retryable = infer(node, wanted)
        assert (kind, retryable) == ("failed", True)
        assert code == (ErrorCode.MODEL_UNAVAILABLE if fault == "gone" else ErrorCode.INTEGRITY)
        assert wanted.digest not in node.vitals().digests
        # What it was tried with is given back too: only the other model's is left.
        assert len(list((tmp_path / "cache" / "trials").iterdir())) == 1
        with suppress(IntegrityError):
            node.load(wanted, contents(data))
        node.load(wanted, contents(data))
        assert wanted.digest in node.vitals().digests
        assert answer(node, wanted) == [2.0, 2.0, 2.0]
    finally:
        node.close()


def test_another_main_file_may_be_opened_but_not_beside_the_first(service: NodeService) -> None:
    twice, centred = onnx_models.doubles(), onnx_models.centred()
    files = {"model.onnx": twice, "other.onnx": centred}
    wanted = onnx_models.artifact(files, main="other.onnx")
    service.load(wanted, contents(twice, centred))
    assert answer(service, wanted) == [0.0, 0.0, 0.0]
    with pytest.raises(ModelUnavailableError, match=r"by 'model.onnx', .* by 'other.onnx'"):
        service.load(replace(wanted, main="model.onnx"))
    assert answer(service, wanted) == [0.0, 0.0, 0.0]


def test_files_that_are_here_need_not_be_sent(service: NodeService) -> None:
    data = onnx_models.doubles()
    wanted = onnx_models.artifact({"model.onnx": data})
    service.load(wanted, contents(data))
    service.unload(wanted.digest)
    service.load(wanted)
    assert answer(service, wanted) == [2.0, 2.0, 2.0]


# -- measuring ------------------------------------------------------------------------


def test_a_loaded_model_is_measured_up_to_its_bound(service: NodeService, tmp_path: Path) -> None:
    data, good = onnx_models.doubles(), golden(tmp_path, 2)
    wanted = onnx_models.artifact(
        {"model.onnx": data}, goldens={"golden/any/g.npz": good}, max_batch_size=4
    )
    service.load(wanted, contents(data, good))
    curve = service.measure(wanted.digest)
    assert curve is not None
    assert [rows for rows, _ in curve.points] == [1, 2, 4]


def test_a_batch_runs_on_the_threads_that_it_asks_for_once_they_are_there(
    service: NodeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []

    class Noted(Session):
        def __init__(self, path: Path, *, threads: int) -> None:
            super().__init__(path, threads=threads)
            opened.append(threads)

    monkeypatch.setattr("farm.node.models.Session", Noted)
    data = onnx_models.doubles()
    wanted = onnx_models.artifact({"model.onnx": data})
    service.load(wanted, contents(data))
    assert answer(service, wanted) == [2.0, 2.0, 2.0]
    assert opened == [1]
    give_up = monotonic() + WAIT_S
    while opened != [1, 4]:
        assert answer(service, wanted, threads=4) == [2.0, 2.0, 2.0]
        assert monotonic() < give_up
    assert answer(service, wanted, threads=4) == [2.0, 2.0, 2.0]
    assert answer(service, wanted) == [2.0, 2.0, 2.0]
    assert opened == [1, 4]


def test_a_model_without_rows_that_run_has_no_curve(service: NodeService) -> None:
    data = onnx_models.triples()
    wanted = onnx_models.artifact({"model.onnx": data})
    service.load(wanted, contents(data))
    assert service.measure(wanted.digest) is None


def test_what_is_not_here_cannot_be_measured(service: NodeService) -> None:
    with pytest.raises(ModelUnavailableError, match="digest 000000000000 is not loaded"):
        service.measure("0" * 64)


# -- forgetting -----------------------------------------------------------------------


def test_an_unload_in_the_middle_of_traffic_leaves_no_session(
    service: NodeService, tmp_path: Path
) -> None:
    data = onnx_models.doubles()
    wanted = onnx_models.artifact({"model.onnx": data})
    head = (PROTOCOL, "tiny", wanted.digest, (1,), (("x", "FP32", (1, 3)),), "g-1")
    codes: set[str] = set()
    stop = Event()

    def traffic() -> None:
        while not stop.is_set():
            reply = pickle.loads(service.infer(pickle.dumps(head), ONES.tobytes()))  # noqa: S301
            codes.add("ok" if reply[0] == "ok" else reply[3])

    user = Thread(target=traffic)
    user.start()
    try:
        for _ in range(10):
            service.load(wanted, contents(data))
            service.unload(wanted.digest)
            assert len(service._models._sessions) == 0
    finally:
        stop.set()
        user.join(WAIT_S)
    assert not user.is_alive()
    # A batch that came too late is refused so that another node gets it; nothing breaks.
    assert codes <= {"ok", "model_unavailable"}


def test_memory_is_given_back_once_after_loads_and_closed_sessions(
    service: NodeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = []
    monkeypatch.setattr("farm.node.models.release_memory", lambda: released.append(1))
    monkeypatch.setattr("farm.node.models._QUALIFIER_IDLE_S", 0.0)
    monkeypatch.setattr("farm.node.models._FORMER_SPLIT_IDLE_S", 0.0)
    data = onnx_models.doubles()
    wanted = onnx_models.artifact({"model.onnx": data})
    service.load(wanted, contents(data))
    service.vitals()
    assert len(released) == 1
    give_up = monotonic() + WAIT_S
    while len(service._models._sessions) < 2:
        answer(service, wanted, threads=4)
        assert monotonic() < give_up
    for _ in range(2):
        service.vitals()
        assert len(released) == 2
    assert len(service._models._sessions) == 1


def test_two_hundred_loads_leave_no_memory_behind(service: NodeService) -> None:
    data = onnx_models.large(2)
    wanted = onnx_models.artifact({"model.onnx": data}, max_batch_size=4)
    row = np.ones((1, 256), np.float32).tobytes()
    head = (PROTOCOL, "tiny", wanted.digest, (1,), (("x", "FP32", (1, 256)),), "g-1")
    process = psutil.Process()
    resident = []
    for _ in range(200):
        service.load(wanted, contents(data))
        assert pickle.loads(service.infer(pickle.dumps(head), row))[0] == "ok"  # noqa: S301
        service.unload(wanted.digest)
        resident.append(process.memory_info().rss)
    settled = resident[20]
    assert max(resident[20:]) <= settled * 1.05
    assert held_by_child(process) < 400 << 20


def held_by_child(process: psutil.Process) -> int:
    """Return the resident bytes of the trial process."""
    (child,) = [c for c in process.children() if "farm.node.qualification" in c.cmdline()]
    return child.memory_info().rss
