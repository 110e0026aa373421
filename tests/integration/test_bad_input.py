"""Bad input over the wire: a clear status and message for its sender, nothing for others."""

import asyncio
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import numpy as np
import onnx
import pytest
from farm_process import FarmProcess
from metrics_page import counted
from onnx import GraphProto, TensorProto, helper, numpy_helper

from farm import zoo
from farm.client import AsyncFarmClient, FarmClient
from farm.core.errors import ErrorCode, FarmError
from farm.pb.open_inference_pb2 import ModelInferRequest
from farm.pb.services import INFERENCE_SERVICE

pytestmark = pytest.mark.integration

INFER = f"/{INFERENCE_SERVICE}/ModelInfer"
TABLE = np.arange(40, dtype=np.float32).reshape(4, 10)
SIX = np.arange(6, dtype=np.float32).reshape(2, 3)


def write_lookup(folder: Path) -> None:
    """A model that is fine until an index is out of bounds: then ONNX Runtime raises."""
    write_model(
        folder,
        helper.make_graph(
            [helper.make_node("Gather", ["table", "index"], ["row"], axis=0)],
            "lookup",
            [helper.make_tensor_value_info("index", TensorProto.INT64, ["batch"])],
            [helper.make_tensor_value_info("row", TensorProto.FLOAT, ["batch", 10])],
            [numpy_helper.from_array(TABLE, "table")],
        ),
    )


def write_reshape(folder: Path) -> None:
    """A model that fails in a way ONNX Runtime does not call an invalid argument."""
    write_model(
        folder,
        helper.make_graph(
            [helper.make_node("Reshape", ["six", "shape"], ["reshaped"])],
            "reshape",
            [helper.make_tensor_value_info("shape", TensorProto.INT64, [2])],
            [helper.make_tensor_value_info("reshaped", TensorProto.FLOAT, ["a", "b"])],
            [numpy_helper.from_array(SIX, "six")],
        ),
    )


def write_model(folder: Path, graph: GraphProto) -> None:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    folder.mkdir(parents=True)
    onnx.save(model, folder / "model.onnx")


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FarmProcess]:
    folder = tmp_path_factory.mktemp("bad-input")
    shutil.copytree(zoo.models_dir() / "digits", folder / "models" / "digits")
    write_lookup(folder / "models" / "lookup" / "1")
    write_reshape(folder / "models" / "reshape" / "1")
    with FarmProcess(folder, "--nodes", "1", "--models", str(folder / "models")) as process:
        yield process


@pytest.fixture
def infer(farm: FarmProcess) -> Iterator[Callable[[bytes], bytes]]:
    """Calls ModelInfer with bytes as they are."""
    unlimited = [("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(farm.grpc, options=unlimited) as channel:
        yield channel.unary_unary(INFER)


def good() -> ModelInferRequest:
    request = ModelInferRequest(model_name="digits", id="x")
    request.inputs.add(name="image", datatype="FP32", shape=[1, 1, 8, 8])
    request.raw_input_contents.append(bytes(256))
    return request


def changed(change: Callable[[ModelInferRequest], object]) -> bytes:
    request = good()
    change(request)
    return request.SerializeToString()


def _set(field: str, value: object) -> Callable[[ModelInferRequest], object]:
    return lambda request: setattr(request, field, value)


def _input(field: str, value: object) -> Callable[[ModelInferRequest], object]:
    return lambda request: setattr(request.inputs[0], field, value)


def _shape(*shape: int) -> Callable[[ModelInferRequest], object]:
    def change(request: ModelInferRequest) -> None:
        request.inputs[0].shape[:] = shape

    return change


def _rows(count: int) -> Callable[[ModelInferRequest], object]:
    def change(request: ModelInferRequest) -> None:
        request.inputs[0].shape[0] = count
        request.raw_input_contents[0] = bytes(count * 256)

    return change


def _missing(request: ModelInferRequest) -> None:
    del request.inputs[:]
    del request.raw_input_contents[:]


def _extra(request: ModelInferRequest) -> None:
    request.inputs.add(name="more", datatype="FP32", shape=[1])
    request.raw_input_contents.append(bytes(4))


def _twice(request: ModelInferRequest) -> None:
    request.inputs.add().CopyFrom(request.inputs[0])
    request.raw_input_contents.append(bytes(256))


def _mixed(request: ModelInferRequest) -> None:
    request.inputs[0].contents.fp32_contents.extend([0.0] * 64)


def _wrong_field(request: ModelInferRequest) -> None:
    del request.raw_input_contents[:]
    request.inputs[0].contents.int_contents.extend([0] * 64)


def _too_few_typed(request: ModelInferRequest) -> None:
    del request.raw_input_contents[:]
    request.inputs[0].contents.fp32_contents.extend([0.0] * 63)


INVALID = grpc.StatusCode.INVALID_ARGUMENT
ERRORS = [
    ("garbage", b"\xff\xff\xff\xff", INVALID, "not a valid request"),
    ("unknown model", changed(_set("model_name", "nope")), grpc.StatusCode.NOT_FOUND, "'nope'"),
    ("unknown version", changed(_set("model_version", "7")), grpc.StatusCode.NOT_FOUND, "it has 1"),
    ("odd version", changed(_set("model_version", "x")), grpc.StatusCode.NOT_FOUND, "'x'"),
    ("wrong name", changed(_input("name", "picture")), INVALID, "its inputs are 'image'"),
    ("wrong datatype", changed(_input("datatype", "INT32")), INVALID, "must be FP32, not INT32"),
    ("no datatype", changed(_input("datatype", "FLOAT")), INVALID, "'FLOAT'"),
    ("wrong rank", changed(_shape(1, 64)), INVALID, "[-1, 1, 8, 8]"),
    ("wrong dimension", changed(_shape(1, 1, 4, 16)), INVALID, "not [1, 1, 4, 16]"),
    ("negative dimension", changed(_shape(-1, 1, 8, 8)), INVALID, "not [-1, 1, 8, 8]"),
    ("bytes short", changed(lambda r: r.raw_input_contents.__setitem__(0, b"1")), INVALID, "256"),
    ("too many rows", changed(_rows(65)), INVALID, "at most 64 rows"),
    ("missing input", changed(_missing), INVALID, "'image' is missing"),
    ("extra input", changed(_extra), INVALID, "no input 'more'"),
    ("input twice", changed(_twice), INVALID, "given twice"),
    ("mixed raw and typed", changed(_mixed), INVALID, "one way"),
    ("typed in a wrong field", changed(_wrong_field), INVALID, "fp32_contents"),
    ("too few typed values", changed(_too_few_typed), INVALID, "252 bytes"),
    (
        "raw count",
        changed(lambda r: r.raw_input_contents.append(b"")),
        INVALID,
        "2 raw_input_contents",
    ),
    ("unknown output", changed(lambda r: r.outputs.add(name="y")), INVALID, "no output 'y'"),
    ("oversize", bytes(65 << 20), grpc.StatusCode.RESOURCE_EXHAUSTED, "larger than max"),
]


@pytest.mark.parametrize(
    ("raw", "status", "words"),
    [pytest.param(*rest, id=name) for name, *rest in ERRORS],
)
def test_bad_input_is_told_what_is_wrong(
    infer: Callable[[bytes], bytes], raw: bytes, status: grpc.StatusCode, words: str
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        infer(raw)
    assert caught.value.code() is status
    assert words in caught.value.details()
    assert "Traceback" not in caught.value.details()
    # The next good request is answered.
    assert infer(good().SerializeToString())


def test_a_wrong_method_is_unimplemented(farm: FarmProcess) -> None:
    with grpc.insecure_channel(farm.grpc) as channel:
        call = channel.unary_unary(f"/{INFERENCE_SERVICE}/ModelTrain")
        with pytest.raises(grpc.RpcError) as caught:
            call(b"")
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        pytest.param(b"\xff\xff\xff\xff", ErrorCode.INVALID_REQUEST, id="garbage"),
        pytest.param(
            changed(_input("datatype", "FLOAT")), ErrorCode.INVALID_REQUEST, id="converter"
        ),
        pytest.param(changed(_shape(1, 64)), ErrorCode.INVALID_REQUEST, id="validation"),
        pytest.param(changed(_set("model_name", "nope")), ErrorCode.MODEL_NOT_FOUND, id="unknown"),
    ],
)
def test_an_error_is_counted_once_at_whatever_stage(
    farm: FarmProcess, infer: Callable[[bytes], bytes], raw: bytes, code: ErrorCode
) -> None:
    before = (
        counted(farm.metrics, "farm_errors_total"),
        counted(farm.metrics, "farm_errors_total", code=code),
    )
    with pytest.raises(grpc.RpcError):
        infer(raw)
    after = (
        counted(farm.metrics, "farm_errors_total"),
        counted(farm.metrics, "farm_errors_total", code=code),
    )
    assert after == (before[0] + 1, before[1] + 1)


async def test_a_request_that_onnx_runtime_fails_on_harms_nobody_else(farm: FarmProcess) -> None:
    wasted_before = counted(farm.metrics, "farm_requests_wasted_total", model="lookup")
    async with AsyncFarmClient(farm.grpc, retries=0) as client:

        async def look_up(index: int) -> object:
            try:
                return await client.infer("lookup", {"index": np.array([index])}, timeout_s=30)
            except FarmError as error:
                return error

        indices = [99 if position % 10 == 7 else position % 4 for position in range(200)]
        replies = await asyncio.gather(*(look_up(index) for index in indices))
    for index, reply in zip(indices, replies, strict=True):
        if index == 99:
            assert isinstance(reply, FarmError)
            assert reply.code is ErrorCode.INVALID_REQUEST
            assert "'lookup'" in reply.message
            assert "onnxruntime" not in reply.message
            assert "/" not in reply.message
        else:
            assert not isinstance(reply, FarmError), reply
            assert reply["row"][0].tolist() == TABLE[index].tolist()
    poisoned = indices.count(99)
    wasted = counted(farm.metrics, "farm_requests_wasted_total", model="lookup") - wasted_before
    assert wasted > poisoned, "a poisoned request shared its batch, and its mates ran again"


async def test_a_failure_that_onnx_runtime_puts_otherwise_is_told_too(farm: FarmProcess) -> None:
    async with AsyncFarmClient(farm.grpc, retries=0) as client:
        with pytest.raises(FarmError) as caught:
            await client.infer("reshape", {"shape": np.array([4, 4])}, timeout_s=30)
        assert caught.value.code is ErrorCode.EXECUTION_FAILED
        assert "'reshape'" in caught.value.message
        assert "Reshape" in caught.value.message, "ONNX Runtime's own words"
        assert "/" not in caught.value.message
        answered = await client.infer("reshape", {"shape": np.array([3, 2])}, timeout_s=30)
    assert answered["reshaped"].tolist() == SIX.reshape(3, 2).tolist()
    request = ModelInferRequest(model_name="reshape")
    request.inputs.add(name="shape", datatype="INT64", shape=[2])
    request.raw_input_contents.append(np.array([4, 4]).tobytes())
    async with grpc.aio.insecure_channel(farm.grpc) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await channel.unary_unary(INFER)(request.SerializeToString())
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert raised.value.details() == caught.value.message


def test_the_largest_message_is_what_the_environment_says(tmp_path: Path) -> None:
    with (
        FarmProcess(
            tmp_path, "--nodes", "1", environment={"FARM_MAX_MESSAGE_BYTES": "1000000"}
        ) as farm,
        grpc.insecure_channel(farm.grpc) as channel,
    ):
        infer = channel.unary_unary(INFER)
        with pytest.raises(grpc.RpcError) as caught:
            infer(bytes(2_000_000))
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "larger than max" in caught.value.details()
        # Half a megabyte is read, and answered: here in padding that the digit has not.
        padded = good()
        for number in range(8):
            padded.parameters[f"padding {number}"].string_param = "." * 62_500
        assert infer(padded.SerializeToString())


def test_after_all_that_the_farm_is_whole(farm: FarmProcess) -> None:
    from farm.client import AdminClient

    with AdminClient(farm.grpc) as admin:
        snapshot = admin.snapshot()
    assert [node.state for node in snapshot.nodes] == ["ready"]
    assert snapshot.queued_requests == 0
    assert snapshot.inflight_batches == 0
    with FarmClient(farm.grpc) as client:
        assert client.ready()
