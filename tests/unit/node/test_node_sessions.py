"""Sessions: what a model may be, how its failures are told apart, how many stay open."""

from pathlib import Path
from threading import Event, Thread
from typing import Any

import numpy as np
import onnx_models
import pytest

from farm.core.errors import ErrorCode, FarmError, ModelUnavailableError
from farm.core.tensors import Datatype, TensorSpec
from farm.node.sessions import Session, SessionCache

WAIT_S = 10.0


def opened(folder: Path, data: bytes) -> Session:
    return Session(onnx_models.write(folder, data), threads=1)


def test_a_session_knows_its_tensors(tmp_path: Path) -> None:
    session = opened(tmp_path, onnx_models.lookup())
    assert session.inputs == (TensorSpec(name="x", datatype=Datatype.INT64, shape=(-1,)),)
    assert session.outputs == (TensorSpec(name="y", datatype=Datatype.FP32, shape=(-1,)),)
    assert session.output_names == ["y"]
    assert opened(tmp_path, onnx_models.fixed_rows()).inputs[0].shape == (2, 3)


def test_a_session_computes(tmp_path: Path) -> None:
    session = opened(tmp_path, onnx_models.lookup())
    (answer,) = session.run("lookup", {"x": np.array([2, 0])})
    assert answer.tolist() == [30.0, 10.0]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"no model at all", id="garbage"),
        pytest.param(b"", id="empty"),
        pytest.param(onnx_models.dense()[:-40], id="cut short"),
    ],
)
def test_a_corrupt_model_is_refused_without_naming_the_nodes_paths(
    tmp_path: Path, data: bytes
) -> None:
    with pytest.raises(ModelUnavailableError, match=r"ONNX Runtime .* does not accept") as caught:
        opened(tmp_path, data)
    assert "/" not in caught.value.message
    assert tmp_path.name not in caught.value.message
    assert "\n" not in caught.value.message


def test_a_type_that_the_protocol_cannot_carry_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailableError):
        opened(tmp_path, onnx_models.brain_float())


@pytest.mark.parametrize(
    ("data", "feeds", "code", "words"),
    [
        pytest.param(
            onnx_models.lookup(),
            {"x": np.array([7])},
            ErrorCode.INVALID_REQUEST,
            "idx=7",
            id="an index beyond the table",
        ),
        pytest.param(
            onnx_models.lookup(),
            {"x": np.array([[1]])},
            ErrorCode.INVALID_REQUEST,
            "rank",
            id="a rank too many",
        ),
        pytest.param(
            onnx_models.triples(),
            {"x": np.zeros(4, np.float32)},
            ErrorCode.EXECUTION_FAILED,
            "Reshape",
            id="a reshape that does not come out even",
        ),
        pytest.param(
            onnx_models.lookup(),
            {"z": np.array([1])},
            ErrorCode.EXECUTION_FAILED,
            "missing",
            id="another input",
        ),
    ],
)
def test_the_requests_fault_is_told_from_the_models(
    tmp_path: Path, data: bytes, feeds: dict[str, Any], code: ErrorCode, words: str
) -> None:
    session = opened(tmp_path, data)
    with pytest.raises(FarmError, match=words) as caught:
        session.run("tiny", feeds)
    assert caught.value.code is code
    assert caught.value.message.startswith("model 'tiny' failed on this request: ")
    assert len(caught.value.message) < 400
    assert "\n" not in caught.value.message


def test_strings_reach_the_model_as_they_were_sent(tmp_path: Path) -> None:
    from farm.node.arrays import to_array, to_wire

    raw = b"\x03\x00\x00\x00abc\x02\x00\x00\x00" + "é".encode()
    session = opened(tmp_path, onnx_models.echo_strings())
    (answer,) = session.run("echo", {"x": to_array("x", "BYTES", (2,), raw)})
    assert to_wire("y", answer) == ("y", "BYTES", (2,), raw)


# -- the cache ------------------------------------------------------------------------


class Opener:
    """Makes stand-ins for sessions and remembers how often."""

    def __init__(self, size_bytes: int = 10) -> None:
        self.size_bytes = size_bytes
        self.calls = 0

    def __call__(self) -> tuple[Any, int]:
        self.calls += 1
        return object(), self.size_bytes


def test_a_session_stays_open() -> None:
    cache = SessionCache(max_sessions=2, max_bytes=100)
    opener = Opener()
    assert cache.get("a", opener) is cache.get("a", opener)
    assert opener.calls == 1


def test_the_least_recently_used_session_closes_and_opens_again() -> None:
    cache = SessionCache(max_sessions=2, max_bytes=100)
    openers = {digest: Opener() for digest in "abc"}
    for digest in "aba":
        cache.get(digest, openers[digest])
    cache.get("c", openers["c"])
    assert len(cache) == 2
    cache.get("a", openers["a"])
    cache.get("b", openers["b"])
    assert {digest: opener.calls for digest, opener in openers.items()} == {"a": 1, "b": 2, "c": 1}


def test_sessions_close_when_they_are_too_big_together() -> None:
    cache = SessionCache(max_sessions=10, max_bytes=100)
    cache.get("a", Opener(60))
    cache.get("b", Opener(30))
    cache.get("c", Opener(40))
    assert len(cache) == 2
    again = Opener(60)
    cache.get("a", again)
    assert again.calls == 1


def test_one_session_beyond_the_bound_still_runs() -> None:
    cache = SessionCache(max_sessions=10, max_bytes=100)
    cache.get("small", Opener(10))
    session = cache.get("huge", Opener(1000))
    assert len(cache) == 1
    assert cache.get("huge", Opener()) is session


def test_a_dropped_session_opens_anew() -> None:
    cache = SessionCache(max_sessions=2, max_bytes=100)
    first = cache.get("a", Opener())
    cache.drop("a")
    cache.drop("a")
    assert len(cache) == 0
    assert cache.get("a", Opener()) is not first


def test_a_session_that_cannot_open_is_tried_again() -> None:
    cache = SessionCache(max_sessions=2, max_bytes=100)

    def broken() -> tuple[Any, int]:
        raise ModelUnavailableError("no")

    with pytest.raises(ModelUnavailableError):
        cache.get("a", broken)
    assert cache.get("a", Opener()) is not None


def test_two_threads_open_a_session_once() -> None:
    cache = SessionCache(max_sessions=2, max_bytes=100)
    opening, go_on = Event(), Event()
    opener = Opener()

    def slow() -> tuple[Any, int]:
        opening.set()
        assert go_on.wait(WAIT_S)
        return opener()

    got: list[object] = []
    first = Thread(target=lambda: got.append(cache.get("a", slow)))
    second = Thread(target=lambda: got.append(cache.get("a", slow)))
    first.start()
    assert opening.wait(WAIT_S)
    second.start()
    go_on.set()
    for thread in (first, second):
        thread.join(WAIT_S)
        assert not thread.is_alive()
    assert opener.calls == 1
    assert got[0] is got[1]


def test_an_open_session_is_had_while_another_one_opens() -> None:
    cache = SessionCache(max_sessions=2, max_bytes=100)
    ready = cache.get("ready", Opener())
    opening, go_on = Event(), Event()

    def slow() -> tuple[Any, int]:
        opening.set()
        assert go_on.wait(WAIT_S)
        return object(), 10

    thread = Thread(target=cache.get, args=("slow", slow))
    thread.start()
    try:
        assert opening.wait(WAIT_S)
        assert cache.get("ready", Opener()) is ready
    finally:
        go_on.set()
        thread.join(WAIT_S)
