"""Arrays become messages and come back equal, for every type."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as np_st

from farm.client.codec import to_request, to_result
from farm.client.datatypes import DTYPES
from farm.core.errors import InvalidRequestError, UnsupportedError
from farm.core.tensors import Datatype
from farm.pb.open_inference_pb2 import InferTensorContents, ModelInferRequest, ModelInferResponse

SHAPES = np_st.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)


def request(**inputs: Any) -> ModelInferRequest:
    return to_request("m", inputs)


def echo(message: ModelInferRequest) -> ModelInferResponse:
    """Answer with the inputs, as a server would."""
    response = ModelInferResponse(model_name="m", model_version="7", id=message.id)
    for tensor in message.inputs:
        response.outputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
    response.raw_output_contents.extend(message.raw_input_contents)
    return response


def round_trip(array: Any) -> Any:
    return to_result(echo(request(x=array)))["x"]


@pytest.mark.parametrize("datatype", DTYPES)
def test_numbers_come_back(datatype: Datatype) -> None:
    @settings(max_examples=25, deadline=None)
    @given(np_st.arrays(DTYPES[datatype], SHAPES))
    def holds(array: np.ndarray) -> None:
        message = request(x=array)
        assert message.inputs[0].datatype == datatype
        assert len(message.raw_input_contents[0]) == array.size * (datatype.width_bytes or 0)
        back = round_trip(array)
        assert (back.dtype, back.shape) == (array.dtype, array.shape)
        assert back.tobytes() == array.tobytes()

    holds()


@settings(max_examples=50, deadline=None)
@given(np_st.arrays(np.object_, SHAPES, elements=st.binary(max_size=5), fill=st.nothing()))
def test_byte_strings_come_back(array: np.ndarray) -> None:
    back = round_trip(array)
    assert back.shape == array.shape
    assert back.tolist() == array.tolist()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(max_size=5), min_size=1, max_size=4))
def test_text_comes_back_as_utf8(texts: list[str]) -> None:
    assert round_trip(np.array(texts, dtype=object)).tolist() == [text.encode() for text in texts]


def test_numpy_text_and_lists_are_strings_too() -> None:
    assert round_trip(np.array(["a", "é"])).tolist() == [b"a", "é".encode()]
    assert round_trip(np.array([b"a", b"bc"])).tolist() == [b"a", b"bc"]
    assert round_trip(["a", "b"]).tolist() == [b"a", b"b"]


@pytest.mark.parametrize(
    "array",
    [
        pytest.param(np.arange(6, dtype=">i4").reshape(2, 3), id="big-endian"),
        pytest.param(np.arange(6, dtype=np.int32).reshape(2, 3).T, id="transposed"),
        pytest.param(np.arange(6, dtype=np.int32)[::-2], id="strided"),
    ],
)
def test_every_layout_goes_out_little_endian_and_row_major(array: np.ndarray) -> None:
    np.testing.assert_array_equal(round_trip(array), array)
    assert request(x=array).raw_input_contents[0] == array.astype("<i4").tobytes("C")


@pytest.mark.parametrize(
    "array", [np.zeros(1, np.complex64), np.zeros(1, "datetime64[s]"), np.zeros(1, np.longdouble)]
)
def test_a_type_that_the_protocol_lacks_is_named(array: np.ndarray) -> None:
    with pytest.raises(InvalidRequestError, match="input 'x' is an array of") as caught:
        request(x=array)
    assert str(array.dtype) in caught.value.message


def test_a_request_says_what_was_asked() -> None:
    message = to_request(
        "m",
        {"b": np.zeros(1), "a": np.zeros(2)},
        version="3",
        outputs=("q", "p"),
        request_id="mine",
    )
    assert (message.model_name, message.model_version, message.id) == ("m", "3", "mine")
    assert [tensor.name for tensor in message.inputs] == ["b", "a"]
    assert [output.name for output in message.outputs] == ["q", "p"]
    assert len(message.raw_input_contents) == 2


def parameters(message: Any) -> dict[str, Any]:
    return {
        key: getattr(value, value.WhichOneof("parameter_choice"))
        for key, value in message.parameters.items()
    }


def test_options_travel_as_the_protocols_parameters() -> None:
    message = to_request(
        "m",
        {"x": np.zeros(1)},
        outputs=("a",),
        classes={"b": 3, "a": 1},
        priority=2,
        queue_timeout_s=0.25,
        abi=">=2,<3",
        parameters={"i": -5, "u": 2**63, "f": 0.5, "b": False, "s": "text"},
        receipt=False,
    )
    assert [output.name for output in message.outputs] == ["a", "b"]
    assert [parameters(output) for output in message.outputs] == [
        {"classification": 1},
        {"classification": 3},
    ]
    assert parameters(message) == {
        "priority": 2, "timeout": 250_000, "farm_model_abi": ">=2,<3", "farm_receipt": False,
        "i": -5, "u": 2**63, "f": 0.5, "b": False, "s": "text",
    }  # fmt: skip


def test_a_request_without_options_has_no_parameters() -> None:
    message = request(x=np.zeros(1))
    assert parameters(message) == {}
    assert not message.outputs


def test_the_shortest_timeout_is_a_microsecond() -> None:
    message = to_request("m", {}, queue_timeout_s=1e-9)
    assert parameters(message) == {"timeout": 1}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"queue_timeout_s": 0}, "queue_timeout_s must be above 0"),
        ({"queue_timeout_s": float("nan")}, "queue_timeout_s must be above 0"),
        ({"classes": {"y": 0}}, "classes of output 'y' must be at least 1"),
        ({"parameters": {"p": 2**64}}, "parameter 'p' does not fit 64 bits"),
        ({"parameters": {"p": [1]}}, "parameter 'p' is list"),
    ],
)
def test_an_option_out_of_range_is_named(options: Any, message: str) -> None:
    with pytest.raises(InvalidRequestError, match=message):
        to_request("m", {"x": np.zeros(1)}, **options)


def test_an_answer_has_its_outputs_in_order_and_its_receipt() -> None:
    message = to_request("m", {"b": np.zeros(1), "a": np.zeros(2)}, request_id="mine")
    response = echo(message)
    response.parameters["farm_node"].string_param = "pi-1"
    response.parameters["farm_queue_us"].int64_param = 12
    response.parameters["triton_final_response"].bool_param = True
    answer = to_result(response)
    assert (answer.model, answer.version, answer.id) == ("m", "7", "mine")
    assert list(answer.outputs) == ["b", "a"]
    assert dict(answer.receipt) == {"node": "pi-1", "queue_us": 12}
    assert len(answer.receipt) == 2
    assert answer.receipt["node"] == "pi-1"
    assert repr(answer.receipt) == "Receipt(node='pi-1', queue_us=12)"


def test_a_server_without_receipts_gives_an_empty_one() -> None:
    receipt = to_result(echo(request(x=np.zeros(1)))).receipt
    assert dict(receipt) == {}
    with pytest.raises(KeyError):
        receipt["node"]


def typed(datatype: str, shape: list[int], **contents: Any) -> ModelInferResponse:
    response = ModelInferResponse(model_name="m")
    response.outputs.add(
        name="y", datatype=datatype, shape=shape, contents=InferTensorContents(**contents)
    )
    return response


@pytest.mark.parametrize(
    ("datatype", "contents", "expected"),
    [
        ("BOOL", {"bool_contents": [True, False]}, np.array([True, False])),
        ("INT8", {"int_contents": [-128, 127]}, np.array([-128, 127], np.int8)),
        ("INT16", {"int_contents": [-1, 2]}, np.array([-1, 2], np.int16)),
        ("INT32", {"int_contents": [-1, 2]}, np.array([-1, 2], np.int32)),
        ("INT64", {"int64_contents": [-(2**60), 2]}, np.array([-(2**60), 2], np.int64)),
        ("UINT8", {"uint_contents": [0, 255]}, np.array([0, 255], np.uint8)),
        ("UINT16", {"uint_contents": [0, 65535]}, np.array([0, 65535], np.uint16)),
        ("UINT32", {"uint_contents": [0, 2**32 - 1]}, np.array([0, 2**32 - 1], np.uint32)),
        ("UINT64", {"uint64_contents": [0, 2**64 - 1]}, np.array([0, 2**64 - 1], np.uint64)),
        ("FP32", {"fp32_contents": [0.5, -1]}, np.array([0.5, -1], np.float32)),
        ("FP64", {"fp64_contents": [0.1, -1]}, np.array([0.1, -1], np.float64)),
        ("BYTES", {"bytes_contents": [b"a", b""]}, np.array([b"a", b""], object)),
    ],
)
def test_typed_answers_of_other_servers_are_read(
    datatype: str, contents: Any, expected: np.ndarray
) -> None:
    array = to_result(typed(datatype, [2, 1], **contents))["y"]
    assert array.dtype == expected.dtype
    assert array.tolist() == expected.reshape(2, 1).tolist()


def test_an_empty_output_needs_no_contents() -> None:
    assert to_result(typed("FP32", [0, 3]))["y"].shape == (0, 3)


def raw(datatype: str, shape: list[int], content: bytes) -> ModelInferResponse:
    response = ModelInferResponse(model_name="m", raw_output_contents=[content])
    response.outputs.add(name="y", datatype=datatype, shape=shape)
    return response


@pytest.mark.parametrize(
    "response",
    [
        pytest.param(typed("FP32", [2], int_contents=[1, 2]), id="another type's contents"),
        pytest.param(typed("FP32", [3], fp32_contents=[1, 2]), id="too few typed values"),
        pytest.param(typed("INT8", [1], int_contents=[128]), id="a value that does not fit"),
        pytest.param(typed("FP16", [1], fp32_contents=[1]), id="FP16 has no typed contents"),
        pytest.param(typed("BF16", [1]), id="BF16 has none either"),
        pytest.param(typed("BYTES", [2], bytes_contents=[b"a"]), id="too few typed strings"),
        pytest.param(
            ModelInferResponse(outputs=typed("FP32", [0]).outputs, raw_output_contents=[b"", b""]),
            id="more raw contents than outputs",
        ),
        pytest.param(raw("BF16", [1], b"\0"), id="half a BF16"),
        pytest.param(raw("FP8", [1], b"\0"), id="unknown datatype"),
        pytest.param(raw("FP32", [2], b"\0" * 4), id="too few bytes"),
        pytest.param(raw("FP32", [1], b"\0" * 8), id="too many bytes"),
        pytest.param(raw("FP32", [2], b"\0" * 7), id="half a number"),
        pytest.param(raw("BYTES", [2], b"\1\0\0\0a"), id="too few strings"),
        pytest.param(raw("BYTES", [1], b"\1\0\0\0a" * 2), id="too many strings"),
        pytest.param(raw("BYTES", [1], b"\2\0\0\0a"), id="a string cut short"),
        pytest.param(raw("BYTES", [1], b"\0\0"), id="a length cut short"),
        pytest.param(raw("BYTES", [-1], b""), id="a negative shape"),
    ],
)
def test_an_answer_that_cannot_be_read_is_refused_in_words(response: ModelInferResponse) -> None:
    with pytest.raises(UnsupportedError, match="'y'"):
        to_result(response)
