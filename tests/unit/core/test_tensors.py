"""Tensors join and split without losing a byte."""

from math import prod

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.core.errors import InvalidRequestError
from farm.core.tensors import Datatype, Tensor, check_size, join, split


def elements(values: list[bytes]) -> bytes:
    """BYTES elements as the wire has them."""
    return b"".join(len(value).to_bytes(4, "little") + value for value in values)


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
            raw = elements(values)
        else:
            size = count * datatype.width_bytes
            raw = draw(st.binary(min_size=size, max_size=size))
        parts.append(tensor(datatype, (rows, *inner), raw))
    return parts


@pytest.mark.parametrize("datatype", Datatype)
def test_split_undoes_join(datatype: Datatype) -> None:
    @settings(max_examples=40, deadline=None)
    @given(compatible(datatype))
    def holds(parts: list[Tensor]) -> None:
        whole = join(parts)
        check_size(whole)
        assert whole.shape[0] == sum(part.shape[0] for part in parts)
        assert split(whole, [part.shape[0] for part in parts]) == tuple(parts)

    holds()


@pytest.mark.parametrize("datatype", Datatype)
def test_join_undoes_split(datatype: Datatype) -> None:
    @settings(max_examples=40, deadline=None)
    @given(parts=compatible(datatype), data=st.data())
    def holds(parts: list[Tensor], data: st.DataObject) -> None:
        whole = join(parts)
        cuts = sorted(data.draw(st.lists(st.integers(0, whole.shape[0]), max_size=3)))
        rows = [b - a for a, b in zip([0, *cuts], [*cuts, whole.shape[0]], strict=True)]
        assert join(split(whole, rows)) == whole

    holds()


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


def test_rows_come_back_in_order() -> None:
    whole = tensor(Datatype.UINT16, (3, 2), bytes(range(12)))
    assert [part.raw for part in split(whole, [1, 2])] == [bytes(range(4)), bytes(range(4, 12))]


def test_strings_come_back_whole() -> None:
    whole = tensor(Datatype.BYTES, (3,), elements([b"a", b"", b"three"]))
    assert [part.raw for part in split(whole, [2, 1])] == [
        elements([b"a", b""]),
        elements([b"three"]),
    ]


@pytest.mark.parametrize(
    ("shape", "rows"), [((3, 2), [1, 1]), ((3, 2), [2, 2]), ((), [1]), ((), [])]
)
def test_rows_must_add_up(shape: tuple[int, ...], rows: list[int]) -> None:
    with pytest.raises(InvalidRequestError, match="cannot be split"):
        split(tensor(Datatype.UINT8, shape, bytes(prod(shape))), rows)


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
        pytest.param(elements([b"one"]), id="one too few"),
        pytest.param(elements([b"one", b"two", b"three"]), id="one too many"),
        pytest.param(elements([b"one", b"two"])[:-1], id="the last one is cut"),
        pytest.param(elements([b"one"]) + b"\x01\x00", id="a length is cut"),
        pytest.param(elements([b"one", b"two"]) + b"\x00", id="a byte is left"),
        pytest.param(b"\xff\xff\xff\xff" * 2, id="lengths beyond the end"),
    ],
)
def test_the_lengths_of_strings_are_checked(raw: bytes) -> None:
    strings = tensor(Datatype.BYTES, (2,), raw)
    with pytest.raises(InvalidRequestError, match="length"):
        check_size(strings)
    with pytest.raises(InvalidRequestError, match="length"):
        split(strings, [1, 1])


@settings(max_examples=200, deadline=None)
@given(raw=st.binary(max_size=24), count=st.integers(0, 4))
def test_any_bytes_are_strings_or_are_refused(raw: bytes, count: int) -> None:
    strings = tensor(Datatype.BYTES, (count,), raw)
    try:
        check_size(strings)
    except InvalidRequestError:
        return
    assert join(split(strings, [1] * count) or [strings]).raw == raw


def test_a_huge_claim_is_refused_at_once() -> None:
    with pytest.raises(InvalidRequestError):
        check_size(tensor(Datatype.BYTES, (2**62,), bytes(64)))
