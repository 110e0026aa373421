"""What an ONNX file says of itself, from good files and hostile ones."""

from collections.abc import Callable
from io import BytesIO, FileIO
from pathlib import Path
from typing import BinaryIO, cast

import onnx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper
from tiny_onnx import MODEL, entry, message, model, node, number, tensor, varint

from farm.core.errors import ModelUnavailableError
from farm.repository import wire
from farm.repository.listing import ModelListing
from farm.repository.onnx_header import OnnxHeader, read_header, runtime_floor

Put = Callable[..., Path]
Listed = Callable[..., ModelListing]


def header(data: bytes, *, max_operators: int = 1000) -> OnnxHeader:
    return read_header(BytesIO(data), where="m/1/model.onnx", max_operators=max_operators)


def problem(data: bytes) -> str:
    with pytest.raises(ModelUnavailableError) as caught:
        header(data)
    message = caught.value.message
    assert message.startswith("m/1/model.onnx ")
    assert message.isprintable()
    return message


def branch(name: str, *nodes: onnx.NodeProto) -> onnx.GraphProto:
    output = helper.make_tensor_value_info(name, TensorProto.FLOAT, [])
    return helper.make_graph(list(nodes), name, [], [output])


def test_a_file_that_onnx_wrote() -> None:
    inner = helper.make_node("Identity", ["x"], ["a"])
    nested = helper.make_node(
        "If",
        ["c"],
        ["a"],
        then_branch=branch("a", inner),
        else_branch=branch("a", inner, inner),
    )
    outer = helper.make_node(
        "If", ["c"], ["y"], then_branch=branch("a", nested), else_branch=branch("a", inner)
    )
    function = helper.make_function(
        "own", "Twice", ["x"], ["y"], [inner, inner], [helper.make_opsetid("", 17)]
    )
    weights = helper.make_tensor("w", TensorProto.FLOAT, [1000], bytes(4000), raw=True)
    built = helper.make_model(
        helper.make_graph([outer, inner], "g", [], [], initializer=[weights]),
        functions=[function],
        opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)],
        ir_version=8,
        producer_name="pytorch",
        producer_version="2.9",
    )
    helper.set_model_props(built, {"farm.abi": "2.1", "labels": "ä,b"})
    assert header(built.SerializeToString()) == OnnxHeader(
        ir_version=8,
        opsets=(("", 17), ("ai.onnx.ml", 3)),
        producer="pytorch 2.9",
        # The two of the graph, nested and its three, the other branch's, the function's two.
        operators=2 + 1 + 3 + 1 + 2,
        external_files=(),
        metadata={"farm.abi": "2.1", "labels": "ä,b"},
    )


def test_the_least_that_is_a_model() -> None:
    assert header(MODEL).operators == 1
    assert header(model(opsets={"ai.onnx": 21})).opsets == (("", 21),)


@pytest.mark.parametrize(
    "graph",
    [
        tensor(5, "w.bin"),
        message(15, tensor(1, "w.bin")),
        message(15, tensor(2, "w.bin")),
        node(message(5, tensor(5, "w.bin"))),
        node(message(5, tensor(10, "w.bin"))),
        node(message(5, message(22, tensor(1, "w.bin")))),
        node(message(5, message(23, tensor(2, "w.bin")))),
        node(message(5, message(6, tensor(5, "w.bin")))),
        node(message(5, message(11, node(message(5, tensor(5, "w.bin")))))),
    ],
)
def test_external_data_is_found_wherever_it_is_named(graph: bytes) -> None:
    assert header(model(graph)).external_files == ("w.bin",)


@pytest.mark.parametrize("attribute", [node(message(5, tensor(5, "w")), field=7), b""])
def test_external_data_of_functions_is_found(attribute: bytes) -> None:
    body = attribute or message(11, tensor(5, "w"))
    assert header(model(rest=[message(25, body)])).external_files == ("w",)


@pytest.mark.parametrize(
    ("main", "location", "data", "served"),
    [
        ("model.onnx", "w.bin", "w.bin", True),
        ("model.onnx", "./data//w.bin", "data/w.bin", True),
        ("model.onnx", "gone.bin", "w.bin", False),
        ("model.onnx", "", "w.bin", False),
        ("model.onnx", ".", "w.bin", False),
        ("model.onnx", "../2/w.bin", "w.bin", False),
        ("model.onnx", "data/../w.bin", "w.bin", False),
        ("model.onnx", "/etc/passwd", "w.bin", False),
        ("model.onnx", "..\\w.bin", "w.bin", False),
        ("model.onnx", "golden/any/w.npz", "golden/any/w.npz", False),
        ("model.onnx", "w\n\u202e", "w.bin", False),
        ("model.onnx/model.onnx", "w.bin", "model.onnx/w.bin", True),
        ("model.onnx/model.onnx", "w.bin", "w.bin", False),
    ],
)
def test_external_data_must_be_a_file_of_the_version(
    put: Put, listed: Listed, main: str, location: str, data: str, served: bool
) -> None:
    put(f"digits/1/{main}", model(tensor(5, location)))
    put(f"digits/1/{data}")
    listing = listed()
    assert bool(listing.available) is served
    if not served:
        (refused,) = listing.refused
        assert refused.reason.startswith(f"digits/1/{main} has external data in '")
        assert refused.reason.isprintable()


def test_external_data_that_onnx_wrote_is_served(put: Put, listed: Listed, tmp_path: Path) -> None:
    weights = helper.make_tensor("w", TensorProto.FLOAT, [1000], bytes(4000), raw=True)
    built = helper.make_model(helper.make_graph([], "g", [], [], initializer=[weights]))
    path = put("digits/1/model.onnx")
    onnx.save_model(built, str(path), save_as_external_data=True, location="weights.data")
    (version,) = listed().available
    assert version.header.external_files == ("weights.data",)


SAMPLE = model(
    node(message(5, message(6, node(), tensor(5, "w.bin", b"1234")))),
    metadata={"farm.abi": "1.0"},
    rest=[message(25, node(field=7), message(9, number(2, 17))), entry(14, "a", "b")],
)

HOSTILE = {
    "nothing": b"",
    "text": b"not really onnx",
    "html": b"<!DOCTYPE html><html><body>404</body></html>",
    "no graph": number(1, 8),
    "no IR version": message(7, node()),
    "a negative IR version": model(ir_version=-1),
    "a pointer of git": b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 12\n",
    "cut off": MODEL[:-1],
    "cut off in the graph": MODEL[:12],
    "cut off in a number": MODEL + b"\x08\xff",
    "a number without end": b"\x08" + b"\xff" * 1000,
    "a tag without end": b"\xff" * 1000,
    "field 0": MODEL + b"\x00\x01",
    "a group": MODEL + b"\x0b\x0c",
    "an unknown wire type": MODEL + b"\x0f",
    "a length beyond the end": MODEL + b"\x3a\xff\xff\xff\xff\x7f",
    "the largest length": MODEL + varint(7 << 3 | 2) + varint(2**64 - 1),
    "a length beyond its message": model(b"\x0a\x05\x0a\x64"),
    "a fixed number cut off": MODEL + b"\x09\x01",
    "a long name of external data": model(tensor(5, "w" * 5000)),
    "a very long name of external data": model(tensor(5, "w" * 70_000)),
    "a long domain": model(opsets={"d" * 5000: 1}),
    "many opsets": model(opsets={str(index): 1 for index in range(10_001)}),
    "many metadata": model(metadata={str(index): "" for index in range(10_001)}),
    "many external files": model(*[tensor(5, f"w{index}") for index in range(10_001)]),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_what_is_no_model_is_refused(what: str) -> None:
    assert "export the model again" in problem(HOSTILE[what])


def nested_graphs(depth: int) -> bytes:
    graph = b""
    for _ in range(depth):
        graph = node(message(5, message(6, graph)))
    return model(graph)


def test_graphs_nest_as_deep_as_protobuf_allows() -> None:
    assert header(nested_graphs(30)).operators == 30
    assert "nested more than 100 messages" in problem(nested_graphs(40))
    assert "nested more than 100 messages" in problem(nested_graphs(2000))


def test_operators_are_bounded_in_subgraphs_too() -> None:
    data = model(node(message(5, message(6, *[node()] * 9))))
    assert header(data, max_operators=10).operators == 10
    with pytest.raises(ModelUnavailableError, match=r"more than 9 operators.*max_operators"):
        header(data, max_operators=9)


def test_the_work_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "MAX_FIELDS", 1000)
    assert "more than 1000 fields" in problem(number(1, 8) * 1001)
    assert "more than 1000 fields" in problem(model(tensor(5, raw=b"") * 1000))


def test_long_metadata_is_left_out() -> None:
    data = model(metadata={"a": "x" * 70_000, "b": "y", "k" * 70_000: "z"})
    assert header(data).metadata == {"b": "y"}


def test_text_that_is_not_utf8_is_read_all_the_same() -> None:
    assert header(MODEL + message(2, b"\xff")).producer == "\ufffd"


class CountingReader(FileIO):
    """A file that counts what is read of it."""

    read_bytes = 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(-1 if size is None else size) or b""
        self.read_bytes += len(data)
        return data


def test_weights_are_not_read(tmp_path: Path) -> None:
    # A sparse file of 8 GiB.
    path = tmp_path / "model.onnx"
    size = 8 << 30
    start = number(1, 8) + varint(7 << 3 | 2)
    tensor_head = varint(9 << 3 | 2) + varint(size)
    graph_head = varint(5 << 3 | 2) + varint(len(tensor_head) + size)
    with path.open("wb") as file:
        file.write(start + varint(len(graph_head) + len(tensor_head) + size))
        file.write(graph_head + tensor_head)
        file.seek(size, 1)
        file.write(message(8, number(2, 17)))
    with CountingReader(path) as stream:
        found = read_header(cast(BinaryIO, stream), where="m", max_operators=10)
    assert found.opsets == (("", 17),)
    assert stream.read_bytes < 100


@settings(deadline=None)
@given(
    data=st.one_of(
        st.binary(max_size=300),
        st.tuples(st.integers(0, 200), st.integers(0, 20), st.binary(max_size=20)).map(
            lambda edit: SAMPLE[: edit[0]] + edit[2] + SAMPLE[edit[0] + edit[1] :]
        ),
    )
)
@example(data=MODEL)
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        found = header(data)
    except ModelUnavailableError as error:
        assert error.message.startswith("m/1/model.onnx ")
        assert error.message.isprintable()
    else:
        assert found.ir_version > 0
        assert found.operators >= 0


@settings(deadline=None)
@given(data=st.integers(0, len(SAMPLE) - 1).map(lambda end: SAMPLE[:end]))
def test_a_file_that_was_cut_off_is_never_taken_for_another(data: bytes) -> None:
    # Cut between two fields the rest is a message too; it may only lack something.
    try:
        found = header(data)
    except ModelUnavailableError:
        return
    assert found.operators <= header(SAMPLE).operators
    assert found.ir_version == 8


@pytest.mark.parametrize(
    ("opset", "ir_version", "runtime"),
    [
        (7, 3, "1.0"),
        (13, 7, "1.6"),
        (17, 8, "1.12"),
        (19, 8, "1.15"),
        (19, 9, "1.16"),
        (17, 9, "1.16"),
        (21, 10, "1.18"),
        (22, 10, "1.21"),
        (24, 10, "1.24"),
        (26, 13, "1.25"),
        (27, 13, ""),
        (17, 14, ""),
    ],
)
def test_the_oldest_runtime_that_reads_a_file(opset: int, ir_version: int, runtime: str) -> None:
    assert runtime_floor(header(model(ir_version=ir_version, opsets={"": opset}))) == runtime


def test_other_domains_do_not_count_for_the_runtime() -> None:
    found = header(model(ir_version=8, opsets={"com.microsoft": 99, "": 11}))
    assert runtime_floor(found) == "1.9"
    assert runtime_floor(header(model(ir_version=3, opsets={"ai.onnx.ml": 3}))) == "1.0"
