"""Warm-ups run before a model is ready, and one that fails refuses it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx_models
import onnx_tensors
import pytest

from farm.core.errors import ModelUnavailableError
from farm.core.models import Warmup, WarmupData, WarmupInput
from farm.core.tensors import Datatype
from farm.node.service import NodeService
from farm.node.sessions import Session
from farm.node.settings import NodeSettings
from farm.node.warmups import run_warmup

ROW = np.ones((1, 3), np.float32).tobytes()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeService]:
    made = NodeService(NodeSettings(node_id="pi", cache_dir=tmp_path_factory.mktemp("cache")))
    yield made
    made.close()


@pytest.fixture(autouse=True)
def emptied(service: NodeService) -> Iterator[None]:
    yield
    for digest in service.vitals().digests:
        service.unload(digest)


def contents(*files: bytes) -> dict[str, bytes]:
    return {onnx_models.sha256(data): data for data in files}


def warmup(*inputs: WarmupInput, batch_size: int = 2, count: int = 1) -> Warmup:
    return Warmup(name="first steps", batch_size=batch_size, count=count, inputs=inputs)


def given(
    data: WarmupData,
    file: tuple[str, bytes] | None = None,
    shape: tuple[int, ...] = (3,),
    datatype: Datatype = Datatype.FP32,
) -> WarmupInput:
    (read,) = onnx_models._model_files(dict([file])) if file else (None,)
    return WarmupInput(name="x", datatype=datatype, shape=shape, data=data, file=read)


def load(service: NodeService, *inputs: WarmupInput, **more: int) -> None:
    """Load `doubles` with a warm-up."""
    data = onnx_models.doubles()
    wanted = onnx_models.artifact({"model.onnx": data}, warmups=(warmup(*inputs, **more),))
    service.load(wanted, contents(data, ROW))


@pytest.mark.parametrize(
    "made",
    [
        given(WarmupData.ZERO),
        given(WarmupData.RANDOM),
        given(WarmupData.FILE, ("warmup/x", ROW)),
    ],
    ids=lambda made: str(made.data),
)
@pytest.mark.parametrize("batch_size", [1, 3])
def test_warm_ups_of_every_kind_run(
    service: NodeService, made: WarmupInput, batch_size: int
) -> None:
    load(service, made, batch_size=batch_size, count=2)


def test_a_warm_up_without_a_batch_axis_has_the_shape_it_says(service: NodeService) -> None:
    load(service, given(WarmupData.ZERO, shape=(5, 3)), batch_size=0)
    with pytest.raises(ModelUnavailableError, match=r"warm-up 'first steps': .*rank"):
        load(service, given(WarmupData.ZERO, shape=(3,)), batch_size=0)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (given(WarmupData.ZERO, shape=(4,)), "Got invalid dimensions"),
        (given(WarmupData.RANDOM, datatype=Datatype.INT32), "Unexpected input data type"),
        (given(WarmupData.FILE, ("warmup/x", b"short")), "has 10 bytes, which is not FP32"),
    ],
    ids=["shape", "datatype", "file"],
)
def test_a_warm_up_that_fails_refuses_the_model_by_name(
    service: NodeService, made: WarmupInput, words: str
) -> None:
    data = onnx_models.doubles()
    wanted = onnx_models.artifact({"model.onnx": data}, warmups=(warmup(made),))
    with pytest.raises(ModelUnavailableError, match=rf"warm-up 'first steps': .*{words}"):
        service.load(wanted, contents(data, b"short"))
    assert service.vitals().digests == ()


def test_strings_that_are_made_up_are_empty(service: NodeService) -> None:
    for data in (WarmupData.ZERO, WarmupData.RANDOM):
        made = given(data, shape=(), datatype=Datatype.BYTES)
        model = onnx_tensors.echo_strings()
        wanted = onnx_models.artifact({"model.onnx": model}, warmups=(warmup(made),))
        service.load(wanted, contents(model))


class Recorder:
    """A session that only remembers what it was given."""

    def __init__(self) -> None:
        self.feeds: list[dict[str, Any]] = []

    def run(self, model: str, feeds: dict[str, Any]) -> list[Any]:
        self.feeds.append(feeds)
        return []


def test_a_row_of_a_file_is_repeated_and_run_as_often_as_asked(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(ROW)
    recorder: Any = Recorder()
    asked = warmup(given(WarmupData.FILE, ("x", ROW)), batch_size=4)
    run_warmup(recorder, asked, tmp_path, batched=True, count=3)
    assert [feeds["x"].tolist() for feeds in recorder.feeds] == [[[1.0, 1.0, 1.0]] * 4] * 3


def test_without_a_batch_axis_rows_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(ROW)
    recorder: Any = Recorder()
    asked = warmup(given(WarmupData.FILE, ("x", ROW)), batch_size=4)
    run_warmup(recorder, asked, tmp_path, batched=False, count=1)
    assert recorder.feeds[0]["x"].tolist() == [1.0, 1.0, 1.0]


def test_random_values_are_the_same_every_time(tmp_path: Path) -> None:
    recorder: Any = Recorder()
    for _ in range(2):
        run_warmup(recorder, warmup(given(WarmupData.RANDOM)), tmp_path, batched=True, count=1)
    first, second = (feeds["x"] for feeds in recorder.feeds)
    assert first.any()
    assert (first == second).all()


def test_each_warm_up_runs_once_in_the_session_that_serves(
    service: NodeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = []
    real = Session.run

    def counted(self: Session, model: str, feeds: dict[str, Any]) -> list[Any]:
        runs.append(feeds["x"].shape)
        return real(self, model, feeds)

    monkeypatch.setattr(Session, "run", counted)
    data = onnx_models.doubles()
    asked = tuple(
        warmup(given(WarmupData.ZERO), batch_size=size, count=count)
        for size, count in ((1, 5), (4, 7))
    )
    service.load(onnx_models.artifact({"model.onnx": data}, warmups=asked), contents(data))
    assert runs == [(1, 3), (4, 3)]
