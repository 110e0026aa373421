"""Arrays become messages and come back equal, for every type."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as np_st

from farm.client.codec import DTYPES, to_request, to_result
from farm.core.errors import InvalidRequestError, UnsupportedError
from farm.core.tensors import Datatype
from farm.pb.open_inference_pb2 import InferTensorContents, ModelInferRequest, ModelInferResponse

SHAPES = np_st.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)


def request(**inputs: Any) -> ModelInferRequest:
    return to_request("m", inputs, version="", outputs=(), request_id="")


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


def test_an_answer_has_its_outputs_in_order_and_its_receipt() -> None:
    message = to_request(
        "m", {"b": np.zeros(1), "a": np.zeros(2)}, version="", outputs=(), request_id="mine"
    )
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


def typed() -> ModelInferResponse:
    response = ModelInferResponse(model_name="m")
    response.outputs.add(
        name="y",
        datatype="FP32",
        shape=[2],
        contents=InferTensorContents(fp32_contents=[1.0, 2.0]),
    )
    return response


def raw(datatype: str, shape: list[int], content: bytes) -> ModelInferResponse:
    response = ModelInferResponse(model_name="m", raw_output_contents=[content])
    response.outputs.add(name="y", datatype=datatype, shape=shape)
    return response


@pytest.mark.parametrize(
    "response",
    [
        pytest.param(typed(), id="typed contents"),
        pytest.param(raw("BF16", [1], b"\0\0"), id="BF16"),
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
