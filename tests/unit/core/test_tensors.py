"""Tensors join, and strings are packed, without losing a byte."""

from math import prod

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.core.errors import InvalidRequestError
from farm.core.tensors import (
    Datatype,
    Tensor,
    check_size,
    join,
    pack_strings,
    unpack_strings,
)


def tensor(datatype: Datatype, shape: tuple[int, ...], raw: bytes) -> Tensor:
    return Tensor(name="x", datatype=datatype, shape=shape, raw=raw)


@st.composite
def compatible(draw: st.DrawFn, datatype: Datatype) -> list[Tensor]:
    """Tensors of one datatype and inner shape, of any rows, empty ones included."""
    inner = tuple(draw(st.lists(st.integers(0, 3), max_size=2)))
    parts = []
    for rows in draw(st.lists(st.integers(0, 4), min_size=1, max_size=5)):
        count = rows * prod(inner)
        if datatype.width_bytes is None:
            values = draw(st.lists(st.binary(max_size=6), min_size=count, max_size=count))
            raw = pack_strings(values)
        else:
            size = count * datatype.width_bytes
            raw = draw(st.binary(min_size=size, max_size=size))
        parts.append(tensor(datatype, (rows, *inner), raw))
    return parts


@pytest.mark.parametrize("datatype", Datatype)
def test_a_join_is_all_its_parts_in_order(datatype: Datatype) -> None:
    @settings(max_examples=40, deadline=None)
    @given(compatible(datatype))
    def holds(parts: list[Tensor]) -> None:
        whole = join(parts)
        check_size(whole)
        rows = sum(part.shape[0] for part in parts)
        assert (whole.name, whole.datatype) == ("x", datatype)
        assert whole.shape == (rows, *parts[0].shape[1:])
        assert whole.raw == b"".join(part.raw for part in parts)

    holds()


@settings(deadline=None)
@given(st.lists(st.binary(max_size=300)))
def test_packed_strings_come_back_whole(values: list[bytes]) -> None:
    assert unpack_strings(pack_strings(iter(values))) == values


@settings(deadline=None)
@given(st.lists(st.binary(max_size=6)), st.lists(st.binary(max_size=6)))
def test_packs_of_strings_can_be_strung_together(first: list[bytes], second: list[bytes]) -> None:
    assert pack_strings(first) + pack_strings(second) == pack_strings(first + second)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=24) | st.lists(st.sampled_from([0, 0, 0, 1, 2, 255])).map(bytes))
def test_any_bytes_are_packed_strings_or_are_refused(raw: bytes) -> None:
    try:
        values = unpack_strings(raw)
    except ValueError:
        # What was refused is no pack, for every pack is taken (above).
        return
    assert pack_strings(values) == raw


@settings(deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=6), min_size=1), st.data())
def test_a_pack_cut_within_a_string_is_refused(values: list[bytes], data: st.DataObject) -> None:
    raw = pack_strings(values)
    ends = {len(pack_strings(values[:count])) for count in range(len(values) + 1)}
    cut = data.draw(st.sampled_from([n for n in range(len(raw)) if n not in ends]))
    with pytest.raises(ValueError, match="length prefix"):
        unpack_strings(raw[:cut])


def test_the_packing_is_the_protocols() -> None:
    assert pack_strings([b"ab", b"", "é".encode()]) == (
        b"\x02\x00\x00\x00ab\x00\x00\x00\x00\x02\x00\x00\x00\xc3\xa9"
    )
    assert pack_strings([]) == b""
    assert unpack_strings(b"") == []
    # Little-endian: 256 bytes and not one.
    assert pack_strings([bytes(256)])[:4] == b"\x00\x01\x00\x00"


def test_datatypes_have_the_widths_of_the_protocol() -> None:
    by_width = {
        1: {"BOOL", "UINT8", "INT8"},
        2: {"UINT16", "INT16", "FP16", "BF16"},
        4: {"UINT32", "INT32", "FP32"},
        8: {"UINT64", "INT64", "FP64"},
        None: {"BYTES"},
    }
    for width, names in by_width.items():
        assert {d.value for d in Datatype if d.width_bytes == width} == names


@pytest.mark.parametrize("datatype", [d for d in Datatype if d is not Datatype.BYTES])
def test_the_size_of_fixed_width_tensors_is_checked(datatype: Datatype) -> None:
    width = datatype.width_bytes
    assert width is not None
    check_size(tensor(datatype, (2, 3), bytes(6 * width)))
    check_size(tensor(datatype, (), bytes(width)))
    check_size(tensor(datatype, (0, 3), b""))
    for size in (6 * width - 1, 6 * width + 1, 0):
        with pytest.raises(InvalidRequestError, match=f"has {size} bytes.* takes {6 * width};"):
            check_size(tensor(datatype, (2, 3), bytes(size)))


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(pack_strings([b"one"]), id="one too few"),
        pytest.param(pack_strings([b"one", b"two", b"three"]), id="one too many"),
        pytest.param(pack_strings([b"one", b"two"])[:-1], id="the last one is cut"),
        pytest.param(pack_strings([b"one"]) + b"\x01\x00", id="a length is cut"),
        pytest.param(pack_strings([b"one", b"two"]) + b"\x00", id="a byte is left"),
        pytest.param(b"\xff\xff\xff\xff" * 2, id="lengths beyond the end"),
    ],
)
def test_the_lengths_of_strings_are_checked(raw: bytes) -> None:
    strings = tensor(Datatype.BYTES, (2,), raw)
    with pytest.raises(InvalidRequestError, match="length"):
        check_size(strings)


def test_a_huge_claim_is_refused_at_once() -> None:
    with pytest.raises(InvalidRequestError):
        check_size(tensor(Datatype.BYTES, (2**62,), bytes(64)))
