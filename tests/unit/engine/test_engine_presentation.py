"""What callers see of tensors: reshaped, as classes, by range of ABI."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.core.errors import ExecutionFailedError, InvalidRequestError
from farm.core.tensors import Datatype, Tensor, TensorSpec, unpack_strings
from farm.engine.abi import abi_range
from farm.engine.classification import check_classifiable, classified
from farm.engine.reshaping import to_caller, to_model


def tensor(shape: tuple[int, ...], *values: float) -> Tensor:
    raw = struct.pack(f"<{len(values)}f", *values)
    return Tensor(name="y", datatype=Datatype.FP32, shape=shape, raw=raw)


def classes(answer: Tensor) -> list[str]:
    return [element.decode() for element in unpack_strings(answer.raw)]


# -- classes --------------------------------------------------------------------------


def test_each_row_gives_its_highest_values_first() -> None:
    answer = classified(
        tensor((2, 3), 0.25, 0.5, 0.125, 3, 2, 1), 2, batched=True, labels=("cat", "dog")
    )
    assert (answer.datatype, answer.shape) == (Datatype.BYTES, (2, 2))
    assert classes(answer) == [
        "0.500000:1:dog",
        "0.250000:0:cat",
        "3.000000:0:cat",
        "2.000000:1:dog",
    ]


def test_without_a_batch_axis_all_values_are_one_row() -> None:
    answer = classified(tensor((2, 2), 4, 3, 2, 1), 9, batched=False, labels=())
    assert answer.shape == (4,)
    assert classes(answer) == ["4.000000:0", "3.000000:1", "2.000000:2", "1.000000:3"]


def test_equal_values_keep_their_order_and_not_a_number_comes_last() -> None:
    answer = classified(tensor((1, 4), 1, float("nan"), 1, 0), 4, batched=True, labels=())
    assert [text.split(":")[1] for text in classes(answer)] == ["0", "2", "3", "1"]


def test_no_rows_give_no_classes() -> None:
    assert classified(tensor((0, 3)), 2, batched=True, labels=()).shape == (0, 2)


@pytest.mark.parametrize(
    ("datatype", "raw", "first"),
    [
        (Datatype.INT64, struct.pack("<2q", -5, 7), "7:1"),
        (Datatype.UINT8, bytes([9, 3]), "9:0"),
        (Datatype.FP64, struct.pack("<2d", 0.5, 1.5), "1.500000:1"),
        (Datatype.FP16, struct.pack("<2e", 0.5, 1.5), "1.500000:1"),
        # 0.5 and 1.5 in the upper halves of their 32-bit forms.
        (Datatype.BF16, struct.pack("<2H", 0x3F00, 0x3FC0), "1.500000:1"),
    ],
)
def test_every_kind_of_number_has_classes(datatype: Datatype, raw: bytes, first: str) -> None:
    given_tensor = Tensor(name="y", datatype=datatype, shape=(1, 2), raw=raw)
    assert classes(classified(given_tensor, 1, batched=True, labels=())) == [first]


@pytest.mark.parametrize(
    ("datatype", "count"), [(Datatype.BYTES, 1), (Datatype.FP32, 0), (Datatype.FP32, 1_001)]
)
def test_what_has_no_classes_is_refused(datatype: Datatype, count: int) -> None:
    with pytest.raises(InvalidRequestError, match="output 'y'"):
        check_classifiable("y", datatype, count)


# -- shapes ---------------------------------------------------------------------------

SCALAR = TensorSpec(name="y", datatype=Datatype.FP32, shape=(-1, 1), model_shape=(-1,))
OPEN = TensorSpec(name="y", datatype=Datatype.FP32, shape=(-1, 4, -1), model_shape=(-1, 2, -1, 2))
PLAIN = TensorSpec(name="y", datatype=Datatype.FP32, shape=(-1, 4))


def test_a_reshape_changes_the_shape_alone() -> None:
    caller = tensor((2, 1), 1, 2)
    model = to_model(caller, SCALAR)
    assert (model.shape, model.raw) == ((2,), caller.raw)
    assert to_caller(model, SCALAR) == caller


@given(rows=st.integers(0, 3), width=st.integers(0, 3))
def test_open_sizes_are_kept_in_order(rows: int, width: int) -> None:
    caller = tensor((rows, 4, width), *range(rows * 4 * width))
    model = to_model(caller, OPEN)
    assert model.shape == (rows, 2, width, 2)
    assert to_caller(model, OPEN) == caller


def test_what_has_no_reshape_stays_as_it_is() -> None:
    plain = tensor((1, 4), 1, 2, 3, 4)
    assert to_model(plain, PLAIN) is plain
    assert to_caller(plain, PLAIN) is plain


@pytest.mark.parametrize("shape", [(3, 2, 1), (3, 3, 1, 2)])
def test_an_answer_that_the_config_does_not_foresee_fails(shape: tuple[int, ...]) -> None:
    with pytest.raises(ExecutionFailedError, match="reshape"):
        to_caller(tensor(shape), OPEN)


# -- ABI ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        (">=1.2,<3", ("1.2", "2.9"), ("1.1", "3.0")),
        ("1.2", ("1.2", "1.10"), ("1.1", "2.0")),
        ("2", ("2.0", "2.7"), ("1.9", "3.0")),
        ("==2.*", ("2.0", "2.7"), ("3.0",)),
        ("~=1.4", ("1.4", "1.9"), ("1.3", "2.0")),
    ],
)
def test_ranges(text: str, inside: tuple[str, ...], outside: tuple[str, ...]) -> None:
    wanted = abi_range(text)
    assert all(abi in wanted for abi in inside)
    assert not any(abi in wanted for abi in outside)


@pytest.mark.parametrize("text", ["", "  ", "newest", ">=", "1..2", "9" * 80, "\0", ">=1,<"])
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequestError, match="farm_model_abi"):
        abi_range(text)
