"""Whatever a request holds too much of is refused in words, before it costs anything."""

from collections.abc import Callable

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.core.errors import ExecutionFailedError, InvalidRequestError
from farm.core.tensors import Datatype, Tensor, pack_strings
from farm.frontend.bounded_parsing import LOOKED_THROUGH_BYTES, bounded_parser
from farm.frontend.converters import to_call
from farm.frontend.limits import LIMITS, Limits
from farm.frontend.request_bounds import check_answer, check_strings
from farm.pb.open_inference_pb2 import ModelInferRequest

FEW = Limits(max_fields=50, max_values=100)
parse_few = bounded_parser(ModelInferRequest, FEW)
parse = bounded_parser(ModelInferRequest, LIMITS)

LARGE = LOOKED_THROUGH_BYTES + 1


def varint(value: int) -> bytes:
    parts = []
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])


def field(number: int, content: bytes) -> bytes:
    """A field with a length: a text, bytes, a message or packed numbers."""
    return varint(number << 3 | 2) + varint(len(content)) + content


PADDING = field(7, bytes(LARGE))
INPUT, CONTENTS, SHAPE, PARAMETERS, OUTPUT, RAW = 5, 5, 3, 4, 6, 7
UNKNOWN_GROUP = (varint(99 << 3 | 3), varint(99 << 3 | 4))


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(field(INPUT, b"") * LARGE, id="inputs"),
        pytest.param(field(OUTPUT, b"") * LARGE, id="outputs"),
        pytest.param(field(RAW, b"") * LARGE, id="raw contents"),
        pytest.param(field(PARAMETERS, b"") * LARGE, id="parameters"),
        pytest.param(varint(99 << 3) + b"\0" + PADDING + b"\x78\0" * 99, id="unknown fields"),
        pytest.param(field(INPUT, field(PARAMETERS, b"") * LARGE), id="an input's parameters"),
        pytest.param(field(INPUT, field(CONTENTS, field(8, b"") * LARGE)), id="typed strings"),
        pytest.param(field(INPUT, b"\x18\0" * LARGE), id="a shape, not packed"),
        pytest.param(PADDING + UNKNOWN_GROUP[0] * LARGE + b"\xff", id="groups in groups"),
    ],
)
def test_a_message_of_too_many_fields_is_not_read(raw: bytes) -> None:
    with pytest.raises(InvalidRequestError, match="more than 50 fields"):
        parse_few(raw)


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(field(INPUT, field(SHAPE, bytes(LARGE))), id="a shape"),
        *(
            pytest.param(field(INPUT, field(CONTENTS, field(number, bytes(LARGE)))), id=str(number))
            for number in range(1, 8)
        ),
    ],
)
def test_nor_is_one_of_too_many_values(raw: bytes) -> None:
    with pytest.raises(InvalidRequestError, match="more than 100 typed values"):
        parse_few(raw)


def test_what_cannot_be_read_is_left_to_protobuf_to_refuse() -> None:
    whole = field(INPUT, field(1, b"x")) + PADDING
    for raw in (whole[:-1], whole + b"\xff", whole + b"\x2a", whole + b"\x07", whole + b"\x0c"):
        with pytest.raises(DecodeError):
            parse_few(raw)


def test_a_group_hides_nothing_that_follows_it() -> None:
    """What is in an unknown group is no field of ours, and may be any bytes with lengths."""
    begin, end = UNKNOWN_GROUP
    hidden = begin + field(INPUT, b"\x2a\xff\xff\xff\x0f") + end
    assert parse_few(hidden + PADDING) == ModelInferRequest.FromString(hidden + PADDING)
    with pytest.raises(InvalidRequestError):
        parse_few(hidden + field(INPUT, b"") * LARGE)


@settings(deadline=None, max_examples=50)
@given(
    names=st.lists(st.text(max_size=20), max_size=5),
    shape=st.lists(st.integers(-(2**63), 2**63 - 1), max_size=8),
    values=st.lists(st.integers(-(2**63), 2**63 - 1), max_size=30),
    reals=st.lists(st.floats(width=32, allow_nan=False), max_size=30),
    strings=st.lists(st.binary(max_size=8), max_size=30),
)
def test_a_message_within_its_bounds_is_read_as_protobuf_reads_it(
    names: list[str],
    shape: list[int],
    values: list[int],
    reals: list[float],
    strings: list[bytes],
) -> None:
    message = ModelInferRequest(model_name="m", raw_input_contents=[bytes(LARGE)])
    for name in names:
        given_input = message.inputs.add(name=name, shape=shape)
        given_input.contents.int64_contents.extend(values)
        given_input.contents.fp32_contents.extend(reals)
        given_input.contents.bytes_contents.extend(strings)
        given_input.parameters[name].string_param = name
        message.outputs.add(name=name).parameters[name].int64_param = 1
    assert parse(message.SerializeToString()) == message


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
    with pytest.raises(InvalidRequestError, match="a string of 4294967295 bytes"):
        check_strings("s", b"\xff" * 21, limits)


def test_an_answer_may_be_as_large_as_a_message_and_no_larger() -> None:
    output = Tensor(name="y", datatype=Datatype.UINT8, shape=(10,), raw=bytes(10))
    check_answer("echo", [output, output], 20)
    with pytest.raises(ExecutionFailedError, match="'echo' answered 20 bytes, above the 19"):
        check_answer("echo", [output, output], 19)
