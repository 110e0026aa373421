"""What a model's tensors may be, over the wire: types, shapes, optional ones, subsets, no rows."""

import asyncio
from collections import Counter
from collections.abc import Iterator

import feature_models
import ml_dtypes
import numpy as np
import pytest
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio
from farm_process import FarmProcess, wait_until
from feature_models import DATATYPES
from served_models import write_slow
from triton_requests import given, steps
from tritonclient.grpc import InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException

from farm.client import AdminClient

pytestmark = pytest.mark.integration

INTEGERS = ("UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64")


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FarmProcess]:
    root = tmp_path_factory.mktemp("tensors") / "models"
    root.mkdir()
    for datatype in DATATYPES:
        feature_models.write_echo(root, datatype)
    feature_models.write_many(root)
    feature_models.write_folded(root)
    feature_models.write_scalars(root)
    feature_models.write_shifted(root)
    feature_models.write_whole(root)
    feature_models.write_mean(root)
    write_slow(root, "slow")
    with FarmProcess(root.parent, "--nodes", "1", "--models", str(root)) as process:
        yield process


@pytest.fixture(scope="module")
def client(farm: FarmProcess) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(farm.grpc) as opened:
        yield opened


def single(values: object) -> np.ndarray:
    return np.array(values, dtype=np.float32)


def shapes(client: triton.InferenceServerClient, model: str) -> dict[str, list[int]]:
    """What the metadata says of a model's tensors, by name."""
    metadata = client.get_model_metadata(model)
    return {tensor.name: list(tensor.shape) for tensor in (*metadata.inputs, *metadata.outputs)}


def refused(
    client: triton.InferenceServerClient, model: str, inputs: list[InferInput], **options: object
) -> str:
    """The message of a request that must be invalid."""
    with pytest.raises(InferenceServerException) as caught:
        client.infer(model, inputs, **options)
    assert caught.value.status() == "StatusCode.INVALID_ARGUMENT"
    return str(caught.value.message())


def extremes(datatype: str) -> np.ndarray:
    """Two rows of what a datatype has at its edges."""
    if datatype == "BOOL":
        return np.array([[True, False], [False, True]])
    if datatype in INTEGERS:
        bounds = np.iinfo(datatype.lower())
        return np.array([[bounds.min, 0], [bounds.max, 7]], dtype=bounds.dtype)
    dtype = np.dtype(
        {"FP16": "f2", "BF16": ml_dtypes.bfloat16, "FP32": "f4", "FP64": "f8"}[datatype]
    )
    bounds = ml_dtypes.finfo(dtype)
    # The smallest step above 1 tells a type from its neighbours; NaN and -0 have bits of theirs.
    rows = [[bounds.min, -0.0, np.inf], [1 + float(bounds.eps), bounds.tiny, np.nan]]
    return np.array(rows, dtype=dtype)


@pytest.mark.parametrize("datatype", DATATYPES)
def test_a_datatype_comes_back_bit_by_bit(
    client: triton.InferenceServerClient, datatype: str
) -> None:
    values = extremes(datatype)
    sent = given("x", values)
    assert sent.datatype() == datatype
    result = client.infer(f"echo_{datatype}", [sent])
    output = result.get_output("y")
    assert (output.datatype, list(output.shape)) == (datatype, list(values.shape))
    assert result.get_response().raw_output_contents == [values.tobytes()]
    answered = result.as_numpy("y")
    assert (answered.dtype, answered.tobytes()) == (values.dtype, values.tobytes())
    config = client.get_model_config(f"echo_{datatype}").config
    assert (
        config.input[0].data_type
        == config.DESCRIPTOR.file.enum_types_by_name["DataType"]
        .values_by_name[DATATYPES[datatype][0]]
        .number
    )


@pytest.mark.parametrize("datatype", [*INTEGERS, "BOOL", "FP32", "FP64"])
def test_a_datatype_in_typed_contents(client: triton.InferenceServerClient, datatype: str) -> None:
    values = extremes(datatype)
    field = {
        "BOOL": "bool_contents",
        "UINT64": "uint64_contents",
        "INT64": "int64_contents",
        "FP32": "fp32_contents",
        "FP64": "fp64_contents",
    }.get(datatype, "uint_contents" if datatype.startswith("U") else "int_contents")
    sent = InferInput("x", list(values.shape), datatype)
    getattr(sent._get_tensor().contents, field).extend(values.flatten().tolist())
    answered = client.infer(f"echo_{datatype}", [sent]).as_numpy("y")
    np.testing.assert_array_equal(answered, values)


@pytest.mark.parametrize("datatype", ["FP16", "BF16"])
def test_short_floats_have_no_typed_contents(
    client: triton.InferenceServerClient, datatype: str
) -> None:
    sent = InferInput("x", [1, 2], datatype)
    sent._get_tensor().contents.fp32_contents.extend([1.0, 2.0])
    assert "raw" in refused(client, f"echo_{datatype}", [sent])


@pytest.mark.parametrize("datatype", DATATYPES)
def test_no_rows_of_a_datatype(client: triton.InferenceServerClient, datatype: str) -> None:
    nothing = extremes(datatype)[:0]
    result = client.infer(f"echo_{datatype}", [given("x", nothing)])
    answered = result.as_numpy("y")
    assert (answered.shape, answered.dtype) == (nothing.shape, nothing.dtype)


def test_no_rows_and_some_outputs_classified(client: triton.InferenceServerClient) -> None:
    outputs = [InferRequestedOutput("row"), InferRequestedOutput("double", class_count=1)]
    result = client.infer("many", [given("x", single([[1, 2]])[:0])], outputs=outputs)
    assert result.as_numpy("row").shape == (0, 1)
    assert result.as_numpy("double").shape == (0, 1)


def test_no_rows_are_not_the_end_of_their_batch_mates(farm: FarmProcess) -> None:
    async def answers() -> list[np.ndarray]:
        async with triton_aio.InferenceServerClient(farm.grpc) as client:
            sent = [
                client.infer("many", [given("x", np.full((rows, 2), i, np.float32))])
                for i, rows in enumerate([0, 1, 2] * 20)
            ]
            return [result.as_numpy("double") for result in await asyncio.gather(*sent)]

    for i, answer in enumerate(asyncio.run(answers())):
        np.testing.assert_array_equal(answer, np.full((i % 3, 2), 2 * i, np.float32))


def test_outputs_in_an_order_of_the_callers(client: triton.InferenceServerClient) -> None:
    x = single([[1, 2], [3, 4]])
    wanted = {"double": x + x, "negative": -x, "row": [[3], [7]]}
    for names in (["row", "double"], ["negative"], ["double", "negative", "row"], ["row"]):
        result = client.infer(
            "many", [given("x", x)], outputs=[InferRequestedOutput(name) for name in names]
        )
        assert [output.name for output in result.get_response().outputs] == names
        for name in names:
            np.testing.assert_array_equal(result.as_numpy(name), wanted[name])
    everything = client.infer("many", [given("x", x)]).get_response()
    assert [output.name for output in everything.outputs] == list(wanted)


def test_an_output_that_the_config_leaves_out_is_not_served(
    client: triton.InferenceServerClient,
) -> None:
    assert "hidden" not in shapes(client, "many")
    outputs = [InferRequestedOutput("double"), InferRequestedOutput("hidden")]
    assert "'hidden'" in refused(client, "many", [given("x", single([[1, 2]]))], outputs=outputs)


def test_a_reshape_is_between_callers_and_model(client: triton.InferenceServerClient) -> None:
    assert shapes(client, "folded") == {"x": [-1, 6, -1], "y": [-1, 3, 2, -1]}
    x = np.arange(2 * 6 * 5, dtype=np.float32).reshape(2, 6, 5)
    answered = client.infer("folded", [given("x", x)]).as_numpy("y")
    assert answered.shape == (2, 3, 2, 5)
    np.testing.assert_array_equal(answered.reshape(x.shape), 2 * x)
    assert client.infer("folded", [given("x", x[:0])]).as_numpy("y").shape == (0, 3, 2, 5)
    assert "[-1, 6, -1]" in refused(client, "folded", [given("x", x.reshape(2, 2, 3, 5))])


def test_the_scalar_idiom_with_rows(client: triton.InferenceServerClient) -> None:
    assert shapes(client, "scalar_rows") == {"x": [-1, 1], "y": [-1, 1]}
    answered = client.infer("scalar_rows", [given("x", single([[1], [2], [3]]))]).as_numpy("y")
    np.testing.assert_array_equal(answered, single([[2], [3], [4]]))
    assert "[-1, 1]" in refused(client, "scalar_rows", [given("x", single([1, 2]))])


def test_the_scalar_idiom_without_a_batch_axis(client: triton.InferenceServerClient) -> None:
    assert shapes(client, "scalar") == {"x": [1], "y": [1]}
    answered = client.infer("scalar", [given("x", single([41]))]).as_numpy("y")
    np.testing.assert_array_equal(answered, single([42]))
    assert "[1]" in refused(client, "scalar", [given("x", single(41))])


def test_an_optional_input_given_and_left_out(client: triton.InferenceServerClient) -> None:
    x, b = single([[1, 2, 3]]), single([[5, 5, 5]])
    assert client.get_model_config("shifted").config.input[1].optional
    left_out = client.infer("shifted", [given("x", x)])
    np.testing.assert_array_equal(left_out.as_numpy("y"), single([[11, 22, 33]]))
    brought = client.infer("shifted", [given("b", b), given("x", x)])
    np.testing.assert_array_equal(brought.as_numpy("y"), x + b)
    assert "'x' is missing" in refused(client, "shifted", [given("b", b)])


def test_requests_with_and_without_an_optional_input_are_not_mixed(farm: FarmProcess) -> None:
    async def answers() -> list[np.ndarray]:
        async with triton_aio.InferenceServerClient(farm.grpc) as client:
            sent = []
            for i in range(64):
                inputs = [given("x", np.full((1, 3), i, np.float32))]
                if i % 2:
                    inputs.append(given("b", np.full((1, 3), 100, np.float32)))
                sent.append(client.infer("shifted", inputs))
            return [result.as_numpy("y") for result in await asyncio.gather(*sent)]

    for i, answer in enumerate(asyncio.run(answers())):
        added = 100 if i % 2 else single([[10, 20, 30]])
        np.testing.assert_array_equal(answer, i + added + np.zeros((1, 3), np.float32))


def test_a_model_without_a_batch_axis(client: triton.InferenceServerClient) -> None:
    assert shapes(client, "whole") == {"x": [2, 3], "y": [3, 2]}
    assert client.get_model_config("whole").config.max_batch_size == 0
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    result = client.infer("whole", [given("x", x)])
    np.testing.assert_array_equal(result.as_numpy("y"), x.T)
    assert "[2, 3]" in refused(client, "whole", [given("x", x[:1])])


def test_without_a_batch_axis_requests_are_not_joined(farm: FarmProcess) -> None:
    """Also where the first dimension is open: the config says that it is none of rows."""

    async def answers() -> list[triton.InferResult]:
        async with triton_aio.InferenceServerClient(farm.grpc) as client:
            sent = [
                client.infer("flat", [given("x", np.ones(length, np.float32))])
                for length in range(40)
            ]
            return await asyncio.gather(*sent)

    for length, result in enumerate(asyncio.run(answers())):
        np.testing.assert_array_equal(result.as_numpy("y"), single([length]))
        assert result.get_response().parameters["farm_batch_size"].int64_param == 1


def test_only_equal_inner_shapes_ride_together(farm: FarmProcess) -> None:
    """What waits behind a slow request leaves in batches, none wider than its own shape's share."""
    widths = [1, 2, 3, 5] * 12

    async def answers() -> list[triton.InferResult]:
        async with triton_aio.InferenceServerClient(farm.grpc) as client:
            with AdminClient(farm.grpc) as admin:
                blocker = asyncio.create_task(client.infer("slow", steps(100_000)))
                await asyncio.to_thread(
                    wait_until,
                    lambda: admin.snapshot().inflight_batches > 0,
                    timeout_s=30,
                    what="the slow one runs",
                )
            sent = [
                client.infer("mean", [given("x", np.arange(width, dtype=np.float32)[None] + i)])
                for i, width in enumerate(widths)
            ]
            results = await asyncio.gather(*sent)
            await blocker
            return results

    sizes: dict[int, list[int]] = {width: [] for width in widths}
    for i, result in enumerate(asyncio.run(answers())):
        width = widths[i]
        np.testing.assert_allclose(result.as_numpy("y"), [[(width - 1) / 2 + i]], rtol=1e-6)
        sizes[width].append(result.get_response().parameters["farm_batch_size"].int64_param)
    for width, seen in sizes.items():
        assert max(seen) > 1, f"nothing of width {width} was joined"
        # A batch of n rows is in the receipts of its n members, all of this width.
        assert all(count % size == 0 for size, count in Counter(seen).items()), (width, seen)


def test_inner_dimensions_may_be_empty(client: triton.InferenceServerClient) -> None:
    nothing = np.zeros((3, 0), dtype=np.int32)
    assert client.infer("echo_INT32", [given("x", nothing)]).as_numpy("y").shape == (3, 0)
