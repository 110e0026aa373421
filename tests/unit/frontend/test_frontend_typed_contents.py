"""Tensors in typed fields become the bytes that raw tensors have."""

import struct
from typing import Any

import numpy as np
import pytest

from farm.core.errors import InvalidRequestError
from farm.core.tensors import Datatype
from farm.frontend.typed_contents import raw_bytes
from farm.pb.open_inference_pb2 import InferTensorContents

# (field, values that fit, values that do not, numpy's type)
ROWS: dict[Datatype, tuple[str, list[Any], list[Any], str]] = {
    Datatype.BOOL: ("bool_contents", [True, False, True], [], "?"),
    Datatype.INT8: ("int_contents", [-128, 127], [-129, 128], "<i1"),
    Datatype.INT16: ("int_contents", [-(2**15), 2**15 - 1], [-(2**15) - 1, 2**15], "<i2"),
    Datatype.INT32: ("int_contents", [-(2**31), 2**31 - 1], [], "<i4"),
    Datatype.INT64: ("int64_contents", [-(2**63), 2**63 - 1], [], "<i8"),
    Datatype.UINT8: ("uint_contents", [0, 255], [256], "<u1"),
    Datatype.UINT16: ("uint_contents", [0, 2**16 - 1], [2**16], "<u2"),
    Datatype.UINT32: ("uint_contents", [0, 2**32 - 1], [], "<u4"),
    Datatype.UINT64: ("uint64_contents", [0, 2**64 - 1], [], "<u8"),
    Datatype.FP32: ("fp32_contents", [1.5, float("-inf"), float("nan")], [], "<f4"),
    Datatype.FP64: ("fp64_contents", [0.1, 1e308], [], "<f8"),
}


def test_the_rows_are_all_datatypes_that_have_a_field() -> None:
    assert set(Datatype) - set(ROWS) == {Datatype.BYTES, Datatype.FP16, Datatype.BF16}


@pytest.mark.parametrize("datatype", ROWS)
def test_values_become_little_endian_bytes(datatype: Datatype) -> None:
    field, fitting, _, dtype = ROWS[datatype]
    contents = InferTensorContents(**{field: fitting})
    assert raw_bytes("x", datatype, contents) == np.array(fitting, dtype).tobytes()
    assert raw_bytes("x", datatype, InferTensorContents()) == b""


@pytest.mark.parametrize(
    ("datatype", "value"),
    [(datatype, value) for datatype, row in ROWS.items() for value in row[2]],
)
def test_a_value_out_of_range_is_refused(datatype: Datatype, value: int) -> None:
    contents = InferTensorContents(**{ROWS[datatype][0]: [0, value]})
    with pytest.raises(
        InvalidRequestError, match=f"input 'x' has a value that does not fit {datatype}"
    ):
        raw_bytes("x", datatype, contents)


def test_strings_get_their_lengths() -> None:
    contents = InferTensorContents(bytes_contents=[b"ab", b"", b"\xff"])
    expected = b"".join(struct.pack("<I", len(v)) + v for v in (b"ab", b"", b"\xff"))
    assert raw_bytes("x", Datatype.BYTES, contents) == expected


@pytest.mark.parametrize("datatype", [Datatype.FP16, Datatype.BF16])
def test_short_floats_travel_raw_only(datatype: Datatype) -> None:
    contents = InferTensorContents(fp32_contents=[1.0])
    with pytest.raises(InvalidRequestError, match=f"'x' is {datatype}.*send raw_input_contents"):
        raw_bytes("x", datatype, contents)


@pytest.mark.parametrize(
    ("datatype", "field", "value", "right"),
    [
        (Datatype.FP32, "fp64_contents", 1.0, "fp32_contents"),
        (Datatype.INT64, "int_contents", 1, "int64_contents"),
        (Datatype.UINT8, "int_contents", 1, "uint_contents"),
        (Datatype.BYTES, "int_contents", 1, "bytes_contents"),
        (Datatype.BOOL, "bytes_contents", b"1", "bool_contents"),
    ],
)
def test_values_in_the_wrong_field_are_refused(
    datatype: Datatype, field: str, value: Any, right: str
) -> None:
    with pytest.raises(InvalidRequestError, match=f"'x' is {datatype}.*belong in {right}, not"):
        raw_bytes("x", datatype, InferTensorContents(**{field: [value]}))
