"""What a large message holds is counted before it is read; too much is not read."""

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.pb.bounded_parsing import LOOKED_THROUGH_BYTES, TooMuchError, bounded_parser
from farm.pb.open_inference_pb2 import ModelInferRequest

parse_few = bounded_parser(ModelInferRequest, max_fields=50, max_values=100)
parse = bounded_parser(ModelInferRequest, max_fields=1_000, max_values=1_000)

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
    with pytest.raises(TooMuchError, match="more than 50 fields"):
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
    with pytest.raises(TooMuchError, match="more than 100 typed values"):
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
    with pytest.raises(TooMuchError):
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


# What may stand before the rest to make the count stop early: groups, lengths, ends, numbers.
PIECES = st.one_of(
    st.sampled_from((*UNKNOWN_GROUP, b"\x2b", b"\x2c", b"\x2a\0", b"\x2a\x02\x2b\x2c", b"\x28\x01",
                     b"\x2d\0\0\0\0", b"\x29\0\0\0\0\0\0\0\0", b"\x2a\x7f", b"\xff" * 9 + b"\x01",
                     b"\x1a\x01x", b"\x3a\x03abc", b"\x2a\x05\x1d\0\0\0\0")),
    st.binary(max_size=6),
)  # fmt: skip


@settings(deadline=None, max_examples=300)
@given(before=st.lists(PIECES, max_size=8))
def test_nothing_that_protobuf_reads_gets_past_the_count(before: list[bytes]) -> None:
    raw = b"".join(before) + field(INPUT, b"") * 1_000 + PADDING
    try:
        read = ModelInferRequest.FromString(raw)
    except DecodeError:
        with pytest.raises((DecodeError, TooMuchError)):
            parse_few(raw)
        return
    if len(read.inputs) > 50:
        with pytest.raises(TooMuchError):
            parse_few(raw)
