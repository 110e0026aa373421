"""Bytes become arrays and come back unchanged, for every datatype."""

from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.core.errors import ExecutionFailedError, InvalidRequestError
from farm.core.tensors import Datatype
from farm.node.arrays import DTYPES, split_rows, to_array, to_wire

NUMBERS = [d for d in Datatype if d is not Datatype.BYTES]

SHAPES = st.lists(st.integers(0, 3), max_size=3).map(tuple)


def elements(values: list[bytes]) -> bytes:
    return b"".join(len(value).to_bytes(4, "little") + value for value in values)


@pytest.mark.parametrize("datatype", NUMBERS)
def test_numbers_come_back_bit_by_bit(datatype: Datatype) -> None:
    width = datatype.width_bytes
    assert width is not None

    @settings(max_examples=30, deadline=None)
    @given(shape=SHAPES, data=st.data())
    def holds(shape: tuple[int, ...], data: st.DataObject) -> None:
        size = prod(shape) * width
        raw = data.draw(st.binary(min_size=size, max_size=size))
        array = to_array("x", datatype, shape, raw)
        assert array.shape == shape
        assert array.dtype == DTYPES[datatype]
        assert to_wire("y", array) == ("y", str(datatype), shape, raw)

    holds()


@settings(max_examples=50, deadline=None)
@given(shape=SHAPES, data=st.data())
def test_strings_come_back_whole(shape: tuple[int, ...], data: st.DataObject) -> None:
    count = prod(shape)
    values = data.draw(
        st.lists(st.text(max_size=5).map(str.encode), min_size=count, max_size=count)
    )
    array = to_array("x", Datatype.BYTES, shape, elements(values))
    assert array.shape == shape
    assert to_wire("y", array) == ("y", "BYTES", shape, elements(values))


def test_numbers_are_little_endian_and_row_major() -> None:
    array = to_array("x", "UINT16", (2, 2), b"\x01\x00\x02\x00\x03\x00\x04\x01")
    assert array.tolist() == [[1, 2], [3, 260]]


def test_an_array_over_a_requests_bytes_is_not_a_copy() -> None:
    raw = bytes(12)
    assert not to_array("x", "FP32", (3,), raw).flags.writeable


def test_outputs_that_are_not_contiguous_go_out_row_by_row() -> None:
    across = np.arange(6, dtype=np.int32).reshape(2, 3).T
    assert to_wire("y", across)[2:] == ((3, 2), np.array([0, 3, 1, 4, 2, 5], np.int32).tobytes())


@pytest.mark.parametrize("given", [["a", "é", ""], [b"a", "é".encode(), b""]])
def test_strings_of_every_numpy_kind_go_out_as_utf8(given: list[str]) -> None:
    for array in (np.array(given), np.array(given, dtype=object)):
        assert to_wire("y", array) == ("y", "BYTES", (3,), elements([b"a", "é".encode(), b""]))


@pytest.mark.parametrize(
    ("datatype", "shape", "raw"),
    [
        pytest.param("FP32", (2,), bytes(7), id="a cut number"),
        pytest.param("FP32", (2,), bytes(12), id="a number too many"),
        pytest.param("BYTES", (2,), elements([b"one"]), id="a string too few"),
    ],
)
def test_bytes_that_do_not_fit_the_shape_are_refused(
    datatype: str, shape: tuple[int, ...], raw: bytes
) -> None:
    with pytest.raises(InvalidRequestError, match=rf"input 'x' has {len(raw)} bytes.*{datatype}"):
        to_array("x", datatype, shape, raw)


def test_a_string_that_is_not_utf8_is_refused_in_words() -> None:
    with pytest.raises(InvalidRequestError, match="input 'x' holds a string that is not UTF-8"):
        to_array("x", "BYTES", (2,), elements([b"good", b"\xff"]))


def test_a_single_string_has_no_dimensions() -> None:
    array = to_array("x", "BYTES", (), elements([b"one"]))
    assert (array.shape, array[()]) == ((), "one")
    assert to_wire("y", array) == ("y", "BYTES", (), elements([b"one"]))


def test_members_get_their_own_rows_of_every_output() -> None:
    numbers = np.arange(6, dtype=np.int64).reshape(3, 2)
    words = np.array(["a", "b", "c"], dtype=object)
    first, second = split_rows(["n", "w"], [numbers, words], [1, 2])
    assert first == (
        ("n", "INT64", (1, 2), numbers[:1].tobytes()),
        ("w", "BYTES", (1,), elements([b"a"])),
    )
    assert second == (
        ("n", "INT64", (2, 2), numbers[1:].tobytes()),
        ("w", "BYTES", (2,), elements([b"b", b"c"])),
    )


@pytest.mark.parametrize("shape", [(), (2,), (4, 3)])
def test_an_output_without_a_row_for_each_row_is_never_handed_out(shape: tuple[int, ...]) -> None:
    with pytest.raises(ExecutionFailedError, match=r"output 'y'.*for 3 rows"):
        split_rows(["y"], [np.zeros(shape, np.float32)], [1, 2])
