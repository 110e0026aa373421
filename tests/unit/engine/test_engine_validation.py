"""A request that the model cannot take is refused in words that name what is wrong."""

import pytest

from farm.core.errors import InvalidRequestError
from farm.core.models import ModelKey, ModelSpec
from farm.core.tensors import Datatype, Tensor, TensorSpec
from farm.engine.validation import check_wanted, chosen_outputs, count_rows, ordered_inputs

SPEC = ModelSpec(
    key=ModelKey("m", 3),
    digest="d",
    inputs=(
        TensorSpec(name="image", datatype=Datatype.FP32, shape=(-1, 3)),
        TensorSpec(name="words", datatype=Datatype.BYTES, shape=(-1, -1)),
    ),
    outputs=(
        TensorSpec(name="p", datatype=Datatype.FP32, shape=(-1,)),
        TensorSpec(name="q", datatype=Datatype.FP32, shape=(-1,)),
    ),
    max_batch_size=4,
)
ALONE = ModelSpec(
    key=ModelKey("m", 3), digest="d", inputs=SPEC.inputs, outputs=SPEC.outputs, max_batch_size=0
)


def image(
    rows: int = 1,
    *,
    shape: tuple[int, ...] | None = None,
    datatype: Datatype = Datatype.FP32,
    size: int | None = None,
) -> Tensor:
    shape = (rows, 3) if shape is None else shape
    return Tensor(
        name="image",
        datatype=datatype,
        shape=shape,
        raw=bytes(12 * rows if size is None else size),
    )


def words(rows: int = 1, *, raw: bytes | None = None) -> Tensor:
    if raw is None:
        raw = b"\x02\x00\x00\x00hi" * rows
    return Tensor(name="words", datatype=Datatype.BYTES, shape=(rows, 1), raw=raw)


def extra(name: str) -> Tensor:
    return Tensor(name=name, datatype=Datatype.UINT8, shape=(1,), raw=b"0")


def test_inputs_are_put_in_the_models_order() -> None:
    assert ordered_inputs(SPEC, [words(2), image(2)]) == (image(2), words(2))
    assert count_rows(SPEC, [image(2), words(2)]) == 2


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        pytest.param(
            [image(), extra("wordz")],
            "it has no input 'wordz'; its inputs are 'image', 'words'",
            id="wrong name",
        ),
        pytest.param([image()], "input 'words' is missing", id="missing"),
        pytest.param([], "input 'image', 'words' is missing", id="all missing"),
        pytest.param([image(), words(), extra("more")], "it has no input 'more'", id="extra"),
        pytest.param([image(), words(), image()], "an input is given twice", id="twice"),
        pytest.param(
            [image(datatype=Datatype.INT32), words()],
            "input 'image' must be FP32, not INT32",
            id="datatype",
        ),
        pytest.param(
            [image(shape=(1, 3, 1)), words()],
            "input 'image' must have shape [-1, 3] (-1 is any size), not [1, 3, 1]",
            id="rank",
        ),
        pytest.param(
            [image(shape=()), words()],
            "input 'image' must have shape [-1, 3] (-1 is any size), not []",
            id="no rank",
        ),
        pytest.param(
            [image(shape=(1, 4), size=16), words()],
            "input 'image' must have shape [-1, 3] (-1 is any size), not [1, 4]",
            id="dimension",
        ),
        pytest.param(
            [image(shape=(-1, 3)), words()],
            "input 'image' must have shape [-1, 3] (-1 is any size), not [-1, 3]",
            id="negative dimension",
        ),
        pytest.param(
            [image(size=11), words()],
            "input 'image' has 11 bytes, but FP32 of shape [1, 3] takes 12; send exactly that many",
            id="byte count",
        ),
        pytest.param(
            [image(), words(raw=b"\x03\x00\x00\x00hi")],
            "tensor 'words' of BYTES and shape [1, 1] does not match its 6 bytes",
            id="string prefix beyond the end",
        ),
        pytest.param(
            [image(), words(raw=b"\x02\x00\x00\x00hi!")],
            "tensor 'words' of BYTES and shape [1, 1] does not match its 7 bytes",
            id="bytes after the last string",
        ),
    ],
)
def test_bad_inputs_are_named(inputs: list[Tensor], message: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        ordered_inputs(SPEC, inputs)
    assert message in caught.value.message


def test_the_model_is_named() -> None:
    with pytest.raises(InvalidRequestError, match="model 'm' version 3: "):
        ordered_inputs(SPEC, [])


def test_a_long_list_of_names_is_cut() -> None:
    unknown = [extra(f"{number:02}{'x' * 500}") for number in range(100)]
    with pytest.raises(InvalidRequestError, match="and 92 more") as caught:
        ordered_inputs(SPEC, unknown)
    assert len(caught.value.message) < 1000


def test_rows_must_agree() -> None:
    with pytest.raises(
        InvalidRequestError, match=r"same first dimension, not 'image' \[2, 3\], 'words' \[1, 1\]"
    ):
        count_rows(SPEC, [image(2), words(1)])


def test_more_rows_than_the_model_takes_are_refused() -> None:
    assert count_rows(SPEC, [image(4), words(4)]) == 4
    with pytest.raises(InvalidRequestError, match="at most 4 rows a request, not 5; send them in"):
        count_rows(SPEC, [image(5), words(5)])


def test_a_model_without_a_batch_axis_counts_no_rows() -> None:
    assert count_rows(ALONE, [image(9), words(2)]) == 1


def test_outputs_are_chosen_by_name() -> None:
    p = Tensor(name="p", datatype=Datatype.FP32, shape=(1,), raw=bytes(4))
    q = Tensor(name="q", datatype=Datatype.FP32, shape=(1,), raw=bytes(4))
    assert chosen_outputs(SPEC, [p, q], []) == (p, q)
    assert chosen_outputs(SPEC, [p, q], ["q"]) == (q,)
    assert chosen_outputs(SPEC, [p, q], ["q", "p"]) == (q, p)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (["p", "z"], "it has no output 'z'; its outputs are 'p', 'q'"),
        (["p", "p"], "an output is asked for twice"),
    ],
)
def test_outputs_that_are_not_there_are_named(wanted: list[str], message: str) -> None:
    check_wanted(SPEC, ["q", "p"])
    with pytest.raises(InvalidRequestError, match=message):
        check_wanted(SPEC, wanted)
