"""Whatever a request holds too much of is refused in words, before it costs anything."""

from collections.abc import Callable

import pytest

from farm.core.errors import ExecutionFailedError, InvalidRequestError
from farm.core.tensors import Datatype, Tensor, pack_strings
from farm.frontend.converters import to_call
from farm.frontend.handlers import request_parser
from farm.frontend.limits import LIMITS, Limits
from farm.frontend.request_bounds import check_answer, check_strings
from farm.pb.open_inference_pb2 import ModelInferRequest


def good() -> ModelInferRequest:
    message = ModelInferRequest(model_name="echo", id="mine")
    message.inputs.add(name="x", datatype="UINT8", shape=[1, 2])
    message.raw_input_contents.append(b"ab")
    return message


def with_inputs(message: ModelInferRequest) -> None:
    for _ in range(LIMITS.max_inputs):
        message.inputs.add(name="x", datatype="UINT8", shape=[0])
        message.raw_input_contents.append(b"")


def with_outputs(message: ModelInferRequest) -> None:
    for _ in range(LIMITS.max_outputs + 1):
        message.outputs.add(name="y")


def with_parameters(message: ModelInferRequest) -> None:
    for number in range(LIMITS.max_parameters + 1):
        message.parameters[str(number)].bool_param = True


def with_input_parameters(message: ModelInferRequest) -> None:
    for number in range(LIMITS.max_parameters + 1):
        message.inputs[0].parameters[str(number)].bool_param = True


def with_long_text(message: ModelInferRequest) -> None:
    message.parameters["note\n"].string_param = "x" * (LIMITS.max_text_chars + 1)


def with_long_parameter(message: ModelInferRequest) -> None:
    message.parameters["x" * 1_025].bool_param = True


def with_shape(*shape: int) -> Callable[[ModelInferRequest], None]:
    def change(message: ModelInferRequest) -> None:
        message.inputs[0].shape[:] = shape

    return change


def with_name(field_name: str) -> Callable[[ModelInferRequest], None]:
    return lambda message: setattr(message, field_name, "\n" * 1_025)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (with_inputs, "1025 inputs, and 1024 are allowed"),
        (with_outputs, "1025 outputs, and 1024 are allowed"),
        (with_parameters, "the request has 257 parameters, and 256 are allowed"),
        (with_input_parameters, "input 'x' has 257 parameters"),
        (with_long_text, r"parameter 'note\\n' has 65537 characters, and 65536"),
        (with_long_parameter, "a parameter's name has 1025 characters, and 1024"),
        (with_name("id"), "the request's id has 1025 characters, and 1024"),
        (with_name("model_name"), "the model's name has 1025 characters"),
        (with_name("model_version"), "the model's version has 1025 characters"),
        (lambda m: setattr(m.inputs[0], "name", "x" * 1_025), "an input's name has 1025"),
        (lambda m: m.outputs.add(name="x" * 1_025), "an output's name has 1025"),
        (with_shape(*[1] * 33), "input 'x' has 33 dimensions, and 32 are allowed"),
        (with_shape(2**62, 2**62), "more than 2147483647 elements"),
        (with_shape(0, 2**62, 2**62), "more than 2147483647 elements"),
        (with_shape(-(2**62), 1), "more than 2147483647 elements"),
    ],
)
def test_what_a_request_has_too_much_of_is_named_with_its_limit(
    change: Callable[[ModelInferRequest], None], words: str
) -> None:
    message = good()
    assert to_call(message, None).model == "echo"
    change(message)
    with pytest.raises(InvalidRequestError, match=words) as refused:
        to_call(message, None)
    assert len(refused.value.message) < 300


def test_strings_are_bounded_in_number_and_in_length() -> None:
    limits = Limits(max_strings=3, max_string_bytes=20)
    check_strings("s", pack_strings([b"x" * 20, b"", b""]), limits)
    check_strings("s", pack_strings([b"", b"", b""]), limits)
    with pytest.raises(InvalidRequestError, match="'s' has more than 3 strings"):
        check_strings("s", pack_strings([b"", b"", b"", b""]), limits)
    with pytest.raises(InvalidRequestError, match="a string of 21 bytes, and 20 are allowed"):
        check_strings("s", pack_strings([b"", b"x" * 21]), limits)
    # That is not as long as it says: its model's checks refuse it.
    check_strings("s", b"\xff" * 21, limits)


def test_an_answer_may_be_as_large_as_a_message_and_no_larger() -> None:
    output = Tensor(name="y", datatype=Datatype.UINT8, shape=(10,), raw=bytes(10))
    check_answer("echo", [output, output], 20)
    with pytest.raises(ExecutionFailedError, match="'echo' answered 20 bytes, above the 19"):
        check_answer("echo", [output, output], 19)


def test_a_message_that_would_be_enormous_once_read_is_the_clients_mistake() -> None:
    with pytest.raises(InvalidRequestError, match="more than 100000 fields"):
        request_parser(ModelInferRequest)(b"\x2a\0" * 200_000)


def test_a_request_that_is_not_looked_through_exceeds_nothing() -> None:
    """A short one: as many things with names of their own as fit, and as long ones."""
    assert min(LIMITS.max_name_chars, LIMITS.max_id_chars, LIMITS.max_text_chars) >= 1_024
    for add in (
        lambda message, _: message.inputs.add(),
        lambda message, _: message.outputs.add(),
        lambda message, number: message.parameters[chr(number)],
    ):
        message, count = ModelInferRequest(), 0
        while message.ByteSize() <= 1_024:
            add(message, count)
            count += 1
        assert count - 1 < min(LIMITS.max_inputs, LIMITS.max_outputs)
        assert len(message.parameters) - 1 <= LIMITS.max_parameters
