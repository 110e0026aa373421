"""Messages become calls, or are refused in words that name the field."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from fake_dataplane import RECEIPT, SPEC

from farm.core.energy import EnergyReading, EnergySource
from farm.core.errors import FarmError, InvalidRequestError, UnsupportedError
from farm.core.models import ModelKey
from farm.core.requests import Receipt
from farm.core.tensors import Datatype, Tensor
from farm.engine.dataplane import InferenceResult
from farm.engine.pricing import Price
from farm.frontend.converters import to_call, to_response
from farm.frontend.model_messages import to_metadata
from farm.frontend.receipts import Receipts
from farm.pb.open_inference_pb2 import (
    InferParameter,
    InferTensorContents,
    ModelInferRequest,
    ModelInferResponse,
)

Change = Callable[[ModelInferRequest], object]


def request() -> ModelInferRequest:
    """Two raw inputs, `x` of UINT8 [1,2] and `s` of BYTES [1]."""
    message = ModelInferRequest(model_name="echo", model_version="2", id="mine")
    message.inputs.add(name="x", datatype="UINT8", shape=[1, 2])
    message.inputs.add(name="s", datatype="BYTES", shape=[1])
    message.raw_input_contents.extend([b"ab", b"\x01\x00\x00\x00c"])
    return message


UNPRICED = Price()


def result(
    *outputs: Tensor, receipt: Receipt = RECEIPT, price: Price = UNPRICED
) -> InferenceResult:
    return InferenceResult(model=ModelKey("echo", 2), outputs=outputs, receipt=receipt, price=price)


def test_raw_inputs_belong_to_the_inputs_in_order() -> None:
    call = to_call(request(), 1.5)
    assert (call.model, call.version, call.timeout_s) == ("echo", "2", 1.5)
    assert to_call(request(), None, client="greta").client == "greta"
    assert call.inputs == (
        Tensor(name="x", datatype=Datatype.UINT8, shape=(1, 2), raw=b"ab"),
        Tensor(name="s", datatype=Datatype.BYTES, shape=(1,), raw=b"\x01\x00\x00\x00c"),
    )
    assert (call.outputs, call.priority, call.queue_timeout_s) == ((), 0, None)


def test_typed_inputs_become_raw_ones() -> None:
    message = ModelInferRequest(model_name="echo")
    message.inputs.add(
        name="x",
        datatype="INT16",
        shape=[2],
        contents=InferTensorContents(int_contents=[1, -1]),
    )
    (tensor,) = to_call(message, None).inputs
    assert tensor.raw == b"\x01\x00\xff\xff"


def test_requested_outputs_keep_their_order() -> None:
    message = request()
    message.outputs.add(name="b")
    message.outputs.add(name="a")
    assert to_call(message, None).outputs == ("b", "a")


def test_parameters_reach_the_farm() -> None:
    message = request()
    message.parameters["priority"].int64_param = 3
    message.parameters["timeout"].uint64_param = 1_500_000
    message.parameters["note"].string_param = "hello"
    call = to_call(message, None)
    assert (call.priority, call.queue_timeout_s) == (3, 1.5)
    assert call.parameters == {"priority": 3, "timeout": 1_500_000, "note": "hello"}


def drop_a_raw(message: ModelInferRequest) -> None:
    del message.raw_input_contents[1]


def add_contents(message: ModelInferRequest) -> None:
    message.inputs[1].contents.bytes_contents.append(b"c")


def set_datatype(message: ModelInferRequest) -> None:
    message.inputs[0].datatype = "FLOAT"


def set_empty_parameter(message: ModelInferRequest) -> None:
    message.parameters["priority"].CopyFrom(InferParameter())


def set_parameter(key: str, **value: object) -> Change:
    return lambda message: message.parameters[key].CopyFrom(InferParameter(**value))  # type: ignore[arg-type]


def set_input_parameter(message: ModelInferRequest) -> None:
    message.inputs[0].parameters["shared_memory_region"].string_param = "region"


def set_output_parameter(key: str) -> Change:
    def change(message: ModelInferRequest) -> None:
        message.outputs.add(name="y").parameters[key].int64_param = 3

    return change


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        pytest.param(
            drop_a_raw, InvalidRequestError, "has 2 inputs but 1 raw_input_contents", id="raw count"
        ),
        pytest.param(
            add_contents, InvalidRequestError, "'s' has typed contents beside raw", id="mixed"
        ),
        pytest.param(
            set_datatype, InvalidRequestError, "'x' has datatype 'FLOAT'.*FP32", id="datatype"
        ),
        pytest.param(
            set_empty_parameter, InvalidRequestError, "parameter has no value", id="no value"
        ),
        pytest.param(
            set_parameter("priority", string_param="1"),
            InvalidRequestError,
            "'priority' must be an integer, not '1'",
            id="priority as text",
        ),
        pytest.param(
            set_parameter("timeout", double_param=0.5),
            InvalidRequestError,
            "'timeout' must be an integer, not 0.5",
            id="timeout as float",
        ),
        pytest.param(
            set_input_parameter, UnsupportedError, "'x' is in shared memory", id="shared memory"
        ),
        pytest.param(
            set_output_parameter("shared_memory_region"),
            UnsupportedError,
            "output 'y' is to go to shared memory",
            id="shared memory out",
        ),
        pytest.param(
            set_parameter("farm_model_abi", int64_param=1), InvalidRequestError, "a text", id="abi"
        ),
        pytest.param(
            set_parameter("farm_model_api", string_param="1"),
            InvalidRequestError,
            "no parameter 'farm_model_api'",
            id="typo",
        ),
        pytest.param(
            set_parameter("timeout", int64_param=-1), InvalidRequestError, "'timeout'", id="timeout"
        ),
        pytest.param(
            set_parameter("sequence_id", int64_param=7), UnsupportedError, "sequence_id", id="seq"
        ),
        pytest.param(
            set_parameter("sequence_id", string_param="s"), UnsupportedError, "sequence", id="seq2"
        ),
    ],
)
def test_what_the_protocol_or_the_farm_does_not_allow_is_named(
    change: Change, error: type[FarmError], words: str
) -> None:
    message = request()
    change(message)
    with pytest.raises(error, match=words):
        to_call(message, None)


def test_sequence_id_0_is_none() -> None:
    message = request()
    message.parameters["sequence_id"].int64_param = 0
    assert to_call(message, None).model == "echo"


def test_a_boolean_is_no_priority() -> None:
    message = request()
    message.parameters["priority"].bool_param = True
    with pytest.raises(InvalidRequestError, match="'priority' must be an integer"):
        to_call(message, None)


# -- answers --------------------------------------------------------------------------


def test_an_answer_is_raw_in_output_order_with_the_callers_id() -> None:
    b = Tensor(name="b", datatype=Datatype.FP32, shape=(1, 2), raw=bytes(8))
    a = Tensor(name="a", datatype=Datatype.BYTES, shape=(1,), raw=b"\x00\x00\x00\x00")
    response = to_response(result(b, a), request(), Receipts())
    assert (response.model_name, response.model_version, response.id) == ("echo", "2", "mine")
    assert [(o.name, o.datatype, list(o.shape)) for o in response.outputs] == [
        ("b", "FP32", [1, 2]),
        ("a", "BYTES", [1]),
    ]
    assert not any(o.HasField("contents") for o in response.outputs)
    assert list(response.raw_output_contents) == [b.raw, a.raw]


def test_an_answer_carries_its_receipt() -> None:
    parameters = to_response(result(), request(), Receipts()).parameters
    assert parameters["farm_node"].string_param == "pi-1"
    assert parameters["farm_route"].string_param == "farm"
    assert parameters["farm_model_digest"].string_param == "d1"
    assert parameters["farm_batch_size"].int64_param == 3
    assert parameters["farm_queue_us"].int64_param == 1500
    assert parameters["farm_compute_us"].int64_param == 250_000
    assert parameters["farm_policy"].string_param == RECEIPT.policy


def test_a_receipt_says_what_energy_is_known() -> None:
    energy = EnergyReading(
        joules=1.0, low=0.5, high=3.0, source=EnergySource.MODELLED, window_s=0.1
    )
    parameters = to_response(
        result(receipt=replace(RECEIPT, batch_energy=energy)), request(), Receipts()
    ).parameters
    assert parameters["farm_energy_j"].double_param == 0.5
    assert parameters["farm_energy_low_j"].double_param == 0.25
    assert parameters["farm_energy_high_j"].double_param == 1.5
    assert parameters["farm_energy_source"].string_param == "modelled"
    assert parameters["farm_energy_provisional"].bool_param is True


def test_a_receipt_names_the_baseline_of_a_cost() -> None:
    price = Price(
        cost=1e-6,
        currency="EUR",
        baseline="somewhere 2026-01-01",
        baseline_cost=2e-6,
        baseline_currency="EUR",
    )
    parameters = to_response(result(price=price), request(), Receipts()).parameters
    assert parameters["farm_cost"].double_param == 1e-6
    assert parameters["farm_currency"].string_param == "EUR"
    assert parameters["farm_baseline"].string_param == "somewhere 2026-01-01"
    assert parameters["farm_baseline_cost"].double_param == 2e-6
    assert "farm_baseline_currency" not in parameters


def test_a_baseline_that_could_not_be_converted_shows_its_own_currency() -> None:
    price = Price(
        cost=1e-6, currency="EUR", baseline="b", baseline_cost=2e-6, baseline_currency="USD"
    )
    parameters = to_response(result(price=price), request(), Receipts()).parameters
    assert parameters["farm_baseline_currency"].string_param == "USD"


def test_what_has_no_price_claims_none() -> None:
    parameters = to_response(result(), request(), Receipts()).parameters
    assert not [key for key in parameters if "cost" in key or "energy" in key]


@pytest.mark.parametrize(
    ("wish", "given"),
    [
        (InferParameter(bool_param=False), False),
        (InferParameter(string_param="false"), False),
        (InferParameter(bool_param=True), True),
        (InferParameter(string_param="True"), True),
    ],
)
def test_a_receipt_is_left_out_on_request(wish: InferParameter, given: bool) -> None:
    message = request()
    message.parameters["farm_receipt"].CopyFrom(wish)
    response: ModelInferResponse = to_response(result(), message, Receipts())
    assert bool(response.parameters) is given


def test_metadata_shows_the_batch_dimension() -> None:
    metadata = to_metadata(SPEC, (1, 2))
    assert (metadata.name, list(metadata.versions)) == ("echo", ["1", "2"])
    (x,) = metadata.inputs
    assert (x.name, x.datatype, list(x.shape)) == ("x", "UINT8", [-1, 2])
    assert [y.name for y in metadata.outputs] == ["y"]


def test_outputs_may_be_asked_for_as_classes() -> None:
    message = ModelInferRequest(model_name="echo")
    message.outputs.add(name="z")
    message.outputs.add(name="y").parameters["classification"].int64_param = 3
    message.parameters["farm_model_abi"].string_param = ">=1"
    call = to_call(message, None)
    assert (call.outputs, call.classes, call.abi) == (("z", "y"), {"y": 3}, ">=1")
