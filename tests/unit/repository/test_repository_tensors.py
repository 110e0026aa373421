"""Declared inputs and outputs: shapes on the wire, shapes of the model, contradictions."""

import pytest
from config_parsing import parse, refusal

from farm.core.tensors import Datatype, TensorSpec


def tensors(dims: str, rest: str = "", *, batched: bool = True) -> TensorSpec:
    size = "max_batch_size: 4" if batched else ""
    text = f'{size} input {{ name: "x" data_type: TYPE_FP32 dims: [{dims}] {rest} }}'
    (spec,) = parse(text).inputs
    return spec


@pytest.mark.parametrize(
    ("dims", "reshape", "wire", "model"),
    [
        ("1", "[]", (-1, 1), (-1,)),
        ("2, 4", "[8]", (-1, 2, 4), (-1, 8)),
        ("2, 4, -1, 6", "[8, -1, 1, 6]", (-1, 2, 4, -1, 6), (-1, 8, -1, 1, 6)),
        ("-1", "[1, -1]", (-1, -1), (-1, 1, -1)),
        ("3, -1", "[3, -1]", (-1, 3, -1), None),
    ],
)
def test_a_reshape_keeps_the_elements(
    dims: str, reshape: str, wire: tuple[int, ...], model: tuple[int, ...] | None
) -> None:
    spec = tensors(dims, f"reshape {{ shape: {reshape} }}")
    assert spec.shape == wire
    assert spec.model_shape == model


def test_without_a_batch_axis_a_reshape_is_the_whole_shape() -> None:
    spec = tensors("1", "reshape {}", batched=False)
    assert spec.shape == (1,)
    assert spec.model_shape == ()


def test_outputs_are_reshaped_too() -> None:
    text = (
        'max_batch_size: 2 output { name: "y" data_type: TYPE_INT64 dims: [1, 3]'
        " reshape { shape: 3 } }"
    )
    assert parse(text).outputs == (
        TensorSpec(name="y", datatype=Datatype.INT64, shape=(-1, 1, 3), model_shape=(-1, 3)),
    )


def test_an_input_may_be_optional() -> None:
    assert tensors("1", "optional: true").optional
    assert not tensors("1").optional


@pytest.mark.parametrize(
    ("dims", "reshape"),
    [
        ("2, 4", "[7]"),
        ("2", "[]"),
        ("2, -1", "[-1]"),
        ("-1, 2", "[2, -1]"),
        ("-1", "[1]"),
        ("-1, -1", "[-1]"),
    ],
)
def test_a_reshape_to_other_elements_is_refused(dims: str, reshape: str) -> None:
    text = (
        f'input {{ name: "x" data_type: TYPE_FP32 dims: [{dims}] reshape {{ shape: {reshape} }} }}'
    )
    assert "input[0].reshape.shape is " in refusal(text)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ('input { name: "x" dims: 1 }', "input[0] must have name, data_type and dims"),
        ("output { data_type: TYPE_FP32 dims: 1 }", "output[0] must have name"),
        ('input { name: "x" data_type: TYPE_FP32 }', "input[0] must have"),
        ('input { name: "x" data_type: TYPE_FP32 reshape {} }', "input[0] must have"),
        ('input { name: "x" data_type: 99 dims: 1 }', "input[0] must have"),
        ('input { name: "x" data_type: TYPE_FP32 dims: [2, 0] }', "input[0].dims is [2, 0]"),
        (
            'input { name: "x" data_type: TYPE_FP32 dims: 1 reshape { shape: -2 } }',
            "input[0].reshape.shape is [-2]",
        ),
        (
            'output { name: "y" data_type: TYPE_FP32 dims: 1 }' * 2,
            "output[1] has the name 'y' of another one",
        ),
    ],
)
def test_a_contradiction_names_the_tensor(text: str, part: str) -> None:
    assert part in refusal(text)
