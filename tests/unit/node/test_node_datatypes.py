"""What a whole node answers for every kind of tensor, as the wire carries it."""

import pickle
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx_models
import onnx_tensors
import pytest
from onnx import TensorProto

from farm.core.actor_messages import PROTOCOL
from farm.core.errors import ModelUnavailableError
from farm.core.tensors import Datatype, TensorSpec, pack_strings
from farm.node.service import NodeService
from farm.node.settings import NodeSettings

# (name, datatype, shape, bytes)
Wire = tuple[str, str, tuple[int, ...], bytes]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeService]:
    """A node that every test gives models of its own."""
    made = NodeService(NodeSettings(node_id="pi", cache_dir=tmp_path_factory.mktemp("cache")))
    yield made
    made.close()


class Loaded:
    """A model on a node."""

    def __init__(self, service: NodeService, data: bytes, **more: object) -> None:
        artifact = onnx_models.artifact({"model.onnx": data}, **more)  # type: ignore[arg-type]
        self.report = service.load(artifact, {onnx_models.sha256(data): data})
        self._service = service
        self._digest = artifact.digest

    def reply(self, *inputs: Wire, rows: tuple[int, ...] | None = None) -> tuple:
        heads = tuple(wire[:3] for wire in inputs)
        head = (PROTOCOL, "tiny", self._digest, rows, heads, "g-1")
        raws = (wire[3] for wire in inputs)
        return pickle.loads(self._service.infer(pickle.dumps(head), *raws))  # noqa: S301

    def run(self, *inputs: Wire, rows: tuple[int, ...] | None = None) -> tuple:
        """Return the outputs of each member."""
        reply = self.reply(*inputs, rows=rows)
        assert reply[0] == "ok", reply
        return reply[4]


def floats(name: str, values: object) -> Wire:
    array = np.asarray(values, np.float32)
    return (name, "FP32", array.shape, array.tobytes())


ELEMENT_TYPES = [
    (Datatype.BOOL, TensorProto.BOOL, b"\x00\x01\x01"),
    (Datatype.UINT8, TensorProto.UINT8, bytes(range(3))),
    (Datatype.UINT16, TensorProto.UINT16, bytes(range(6))),
    (Datatype.UINT32, TensorProto.UINT32, bytes(range(12))),
    (Datatype.UINT64, TensorProto.UINT64, bytes(range(24))),
    (Datatype.INT8, TensorProto.INT8, b"\xff\x00\x7f"),
    (Datatype.INT16, TensorProto.INT16, bytes(range(6))),
    (Datatype.INT32, TensorProto.INT32, bytes(range(12))),
    (Datatype.INT64, TensorProto.INT64, bytes(range(24))),
    (Datatype.FP16, TensorProto.FLOAT16, bytes(range(6))),
    (Datatype.BF16, TensorProto.BFLOAT16, bytes(range(6))),
    (Datatype.FP32, TensorProto.FLOAT, bytes(range(12))),
    (Datatype.FP64, TensorProto.DOUBLE, bytes(range(24))),
    (Datatype.BYTES, TensorProto.STRING, pack_strings([b"a", b"", "é".encode()])),
]


@pytest.mark.parametrize(("datatype", "element_type", "raw"), ELEMENT_TYPES)
def test_every_datatype_goes_in_and_out_bit_by_bit(
    service: NodeService, datatype: Datatype, element_type: int, raw: bytes
) -> None:
    model = Loaded(service, onnx_tensors.identity(element_type))
    assert model.report.inputs == (TensorSpec(name="x", datatype=datatype, shape=(-1,)),)
    assert model.report.max_batch_size == 64
    members = model.run(("x", str(datatype), (3,), raw), rows=(1, 0, 2))
    assert [member[0][:3] for member in members] == [("y", datatype, (rows,)) for rows in (1, 0, 2)]
    assert b"".join(member[0][3] for member in members) == raw


@pytest.mark.parametrize(("datatype", "element_type", "raw"), ELEMENT_TYPES)
def test_a_tensor_without_dimensions_is_one_element(
    service: NodeService, datatype: Datatype, element_type: int, raw: bytes
) -> None:
    width = datatype.width_bytes or len(pack_strings([b"a"]))
    model = Loaded(service, onnx_tensors.identity(element_type, []))
    one = ("x", str(datatype), (), raw[:width])
    assert model.run(one) == (((("y", *one[1:])),),)


@pytest.mark.parametrize(("datatype", "element_type", "raw"), ELEMENT_TYPES)
def test_no_rows_at_all_are_answered_with_inner_dimensions(
    service: NodeService, datatype: Datatype, element_type: int, raw: bytes
) -> None:
    model = Loaded(service, onnx_tensors.identity(element_type, ["n", 3]), max_batch_size=8)
    nothing = (("y", str(datatype), (0, 3), b""),)
    assert model.run(("x", str(datatype), (0, 3), b""), rows=(0, 0)) == (nothing, nothing)


def test_a_model_that_takes_no_empty_batch_is_given_none(service: NodeService) -> None:
    # It picks the first row, which an empty batch does not have.
    picks = onnx_models.model(
        [
            onnx_models.helper.make_node("Gather", ["x", "first"], ["one"], axis=0),
            onnx_models.helper.make_node("Sub", ["x", "one"], ["zero"]),
            onnx_models.helper.make_node("Add", ["zero", "one"], ["y"]),
        ],
        [("x", onnx_models.FLOAT, ["n", 3])],
        [("y", onnx_models.FLOAT, ["n", 3])],
        [onnx_models.constant("first", np.array([0]))],
    )
    model = Loaded(service, picks, max_batch_size=8)
    assert model.run(floats("x", np.zeros((0, 3))), rows=(0,)) == ((("y", "FP32", (0, 3), b""),),)
    # Without a batch axis it is the request's own affair.
    assert model.reply(floats("x", np.zeros((0, 3))))[0] == "failed"


def test_a_model_without_a_batch_axis_takes_empty_dimensions_as_they_are(
    service: NodeService,
) -> None:
    model = Loaded(service, onnx_models.doubles(), max_batch_size=0)
    assert model.run(floats("x", np.zeros((0, 3)))) == ((("y", "FP32", (0, 3), b""),),)


def test_several_inputs_and_outputs_keep_their_names_and_order(service: NodeService) -> None:
    model = Loaded(service, onnx_tensors.sums_and_differences())
    a, b = np.array([[5, 6], [7, 8]], np.int32), np.array([[1, 2], [3, 4]], np.int32)
    inputs = (("b", "INT32", (2, 2), b.tobytes()), ("a", "INT32", (2, 2), a.tobytes()))
    assert model.run(*inputs, rows=(2,)) == (
        (("sum", "INT32", (2, 2), (a + b).tobytes()), ("less", "INT32", (2, 2), (a - b).tobytes())),
    )


def test_an_output_without_dimensions_has_none_on_the_wire(service: NodeService) -> None:
    model = Loaded(service, onnx_tensors.total())
    assert model.report.max_batch_size == 0
    (answer,) = model.run(floats("x", [1, 2, 3]))
    assert answer == (("y", "FP32", (), np.float32(6).tobytes()),)


def test_bf16_goes_beside_other_types_both_ways(service: NodeService) -> None:
    model = Loaded(service, onnx_tensors.brain_and_more())
    assert model.report.batching_reason == "4 rows together equal each row alone"
    bits = np.array([0x3F80, 0xC000], np.uint16)
    brain = ("x", "BF16", (2,), bits.tobytes())
    (answer,) = model.run(brain, floats("z", [7, 8]))
    assert answer == (
        ("same", "BF16", (2,), bits.tobytes()),
        ("wide", "FP32", (2,), np.array([1, -2], np.float32).tobytes()),
        ("text", "BYTES", (2,), pack_strings([b"7", b"8"])),
    )


@pytest.mark.parametrize(
    ("given", "wanted", "raw_in", "raw_out"),
    [
        ((TensorProto.BFLOAT16, "BF16"), (TensorProto.FLOAT, "FP32"), b"\x80\x3f", b"\0\0\x80\x3f"),
        ((TensorProto.FLOAT, "FP32"), (TensorProto.BFLOAT16, "BF16"), b"\0\0\x80\x3f", b"\x80\x3f"),
    ],
    ids=["in", "out"],
)
def test_bf16_may_be_only_on_one_side(
    service: NodeService,
    given: tuple[int, str],
    wanted: tuple[int, str],
    raw_in: bytes,
    raw_out: bytes,
) -> None:
    model = Loaded(service, onnx_tensors.cast(given[0], wanted[0]))
    assert model.run(("x", given[1], (1,), raw_in), rows=(1,)) == (
        (("y", wanted[1], (1,), raw_out),),
    )


def test_a_default_is_used_unless_a_request_gives_the_input(service: NodeService) -> None:
    model = Loaded(service, onnx_tensors.shifted())
    assert model.report.inputs == (
        TensorSpec(name="x", datatype=Datatype.FP32, shape=(-1, 3)),
        TensorSpec(name="b", datatype=Datatype.FP32, shape=(3,), optional=True),
    )
    assert model.report.max_batch_size == 64
    x = floats("x", [[0, 0, 0]])
    assert model.run(x)[0][0][3] == floats("y", [[1, 2, 3]])[3]
    assert model.run(x, floats("b", [7, 8, 9]))[0][0][3] == floats("y", [[7, 8, 9]])[3]


def test_a_string_that_is_not_text_is_the_requests_fault(service: NodeService) -> None:
    model = Loaded(service, onnx_tensors.echo_strings())
    kind, _, _, code, message, retryable = model.reply(
        ("x", "BYTES", (1,), pack_strings([b"\xff\xfe"])), rows=(1,)
    )
    assert (kind, code, retryable) == ("failed", "invalid_request", False)
    assert "input 'x' holds a string that is not UTF-8" in message


@pytest.mark.parametrize(
    ("data", "words"),
    [
        pytest.param(
            onnx_tensors.sequence(), r"output 'y' has type seq\(tensor\(float\)\)", id="seq"
        ),
        pytest.param(onnx_tensors.zip_map(), r"output 'y' has type seq\(map\(", id="map"),
        pytest.param(
            onnx_tensors.float8(), r"input 'x' has type tensor\(float8e4m3fn\)", id="float8"
        ),
        pytest.param(onnx_tensors.brain_beside_strings(), "output 'y' is BF16", id="BF16, strings"),
    ],
)
def test_what_the_farm_cannot_carry_is_refused_by_name(
    service: NodeService, data: bytes, words: str
) -> None:
    before = service.vitals().digests
    with pytest.raises(ModelUnavailableError, match=words):
        Loaded(service, data)
    assert service.vitals().digests == before


@pytest.mark.parametrize("stored", [np.uint16, "V2"])
def test_a_golden_holds_bf16_as_bits(service: NodeService, tmp_path: Path, stored: str) -> None:
    data = onnx_tensors.identity(onnx_tensors.BFLOAT16)
    bits = np.array([0x3F80, 0xC000, 0], np.uint16)
    contents = {onnx_models.sha256(data): data}
    golden = onnx_models.golden_file(
        tmp_path, input_x=bits.view(stored), output_y=bits.view(stored)
    )
    wrong = onnx_models.golden_file(tmp_path, input_x=bits, output_y=bits[::-1])
    for file in (golden, wrong):
        contents[onnx_models.sha256(file)] = file
    good, bad = (
        onnx_models.artifact({"model.onnx": data}, goldens={"golden/any/g.npz": file})
        for file in (golden, wrong)
    )
    assert service.load(good, contents).goldens_checked == 1
    with pytest.raises(ModelUnavailableError, match="'y' differs by up to 1"):
        service.load(bad, contents)
