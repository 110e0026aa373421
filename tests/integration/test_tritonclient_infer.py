"""Single requests of tritonclient to the sample models: datatypes, outputs, classification."""

from collections.abc import Iterator

import numpy as np
import pytest
import tritonclient.grpc as triton
from farm_process import FarmProcess
from local_answers import Digits
from served_models import DIGIT_NAMES
from triton_requests import COUNT, ONES, given, pair, texts
from tritonclient.utils import InferenceServerException

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def client(samples: FarmProcess) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(samples.grpc) as opened:
        yield opened


@pytest.mark.parametrize("rows", [1, 2, 8])
def test_simple(client: triton.InferenceServerClient, rows: int) -> None:
    first = np.arange(rows * 16, dtype=np.int32).reshape(rows, 16)
    second = np.full((rows, 16), -3, dtype=np.int32)
    result = client.infer("simple", pair(first, second), request_id="r")
    assert result.get_response().id == "r"
    assert result.get_response().model_version == "1"
    np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), first + second)
    np.testing.assert_array_equal(result.as_numpy("OUTPUT1"), first - second)


def test_inputs_may_come_in_any_order(client: triton.InferenceServerClient) -> None:
    result = client.infer("simple", pair(COUNT, ONES)[::-1])
    np.testing.assert_array_equal(result.as_numpy("OUTPUT1"), COUNT - ONES)


def test_typed_contents(client: triton.InferenceServerClient) -> None:
    """tritonclient only sends raw; others fill the typed fields."""
    inputs = []
    for name, values in (("INPUT0", COUNT), ("INPUT1", ONES)):
        made = triton.InferInput(name, [1, 16], "INT32")
        made._get_tensor().contents.int_contents.extend(values.flatten().tolist())
        inputs.append(made)
    result = client.infer("simple", inputs)
    np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), COUNT + ONES)


def test_a_subset_of_outputs_in_the_order_asked(client: triton.InferenceServerClient) -> None:
    wanted = [triton.InferRequestedOutput(name) for name in ("OUTPUT1", "OUTPUT0")]
    result = client.infer("simple", pair(COUNT, ONES), outputs=wanted)
    assert [o.name for o in result.get_response().outputs] == ["OUTPUT1", "OUTPUT0"]
    np.testing.assert_array_equal(result.as_numpy("OUTPUT1"), COUNT - ONES)
    only = client.infer("simple", pair(COUNT, ONES), outputs=wanted[:1])
    assert [o.name for o in only.get_response().outputs] == ["OUTPUT1"]


def test_simple_string(client: triton.InferenceServerClient) -> None:
    result = client.infer("simple_string", pair(texts(COUNT), texts(ONES)))
    np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), texts(COUNT + ONES))
    np.testing.assert_array_equal(result.as_numpy("OUTPUT1"), texts(COUNT - ONES))


@pytest.mark.parametrize(
    "words",
    [
        pytest.param([[b""]], id="an empty string"),
        pytest.param([[b"one", b"", b"three three"]], id="some"),
        pytest.param([["Grüße".encode(), "枝".encode()]], id="beyond ASCII"),
        pytest.param([[b"x" * 100_000]], id="a long one"),
        pytest.param([[b"a", b"b"], [b"c", b"d"]], id="two rows"),
    ],
)
def test_simple_identity_gives_bytes_back(
    client: triton.InferenceServerClient, words: list[list[bytes]]
) -> None:
    values = np.array(words, dtype=object)
    result = client.infer("simple_identity", [given("INPUT0", values)])
    assert result.as_numpy("OUTPUT0").tolist() == values.tolist()
    assert result.get_output("OUTPUT0").datatype == "BYTES"


def test_zero_rows(client: triton.InferenceServerClient) -> None:
    none = np.zeros((0, 16), dtype=np.int32)
    result = client.infer("simple", pair(none, none))
    assert result.as_numpy("OUTPUT0").shape == (0, 16)


def test_classification(client: triton.InferenceServerClient, digits: Digits) -> None:
    wanted = [triton.InferRequestedOutput("probabilities", class_count=3)]
    for model, labelled in (("digits", False), ("named_digits", True)):
        result = client.infer(model, [given("image", digits.images[:2])], outputs=wanted)
        classes = result.as_numpy("probabilities")
        assert classes.shape == (2, 3)
        for row, found in enumerate(classes):
            alone = digits.probabilities[row]
            order = np.argsort(-alone, kind="stable")[:3]
            for text, index in zip(found, order, strict=True):
                value, position, *names = text.decode().split(":")
                assert float(value) == pytest.approx(float(alone[index]), abs=1e-5)
                assert int(position) == index
                assert names == ([DIGIT_NAMES[index]] if labelled else [])


def test_more_classes_than_there_are(client: triton.InferenceServerClient, digits: Digits) -> None:
    wanted = [triton.InferRequestedOutput("probabilities", class_count=99)]
    result = client.infer("digits", [given("image", digits.images[:1])], outputs=wanted)
    assert result.as_numpy("probabilities").shape == (1, 10)


def test_a_reshaped_output_has_the_shape_of_the_config(
    client: triton.InferenceServerClient, digits: Digits
) -> None:
    result = client.infer("named_digits", [given("image", digits.images[:5])])
    assert result.as_numpy("label").shape == (5, 1)
    assert result.as_numpy("label").flatten().tolist() == digits.labels[:5].tolist()
    assert result.as_numpy("probabilities").tobytes() == digits.probabilities[:5].tobytes()


def test_compressed_requests(client: triton.InferenceServerClient) -> None:
    for algorithm in ("gzip", "deflate"):
        result = client.infer("simple", pair(COUNT, ONES), compression_algorithm=algorithm)
        np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), COUNT + ONES)


def test_sequences_are_not_offered(client: triton.InferenceServerClient) -> None:
    with pytest.raises(InferenceServerException) as caught:
        client.infer("simple", pair(COUNT, ONES), sequence_id=7, sequence_start=True)
    assert caught.value.status() == "StatusCode.UNIMPLEMENTED"
    assert "sequence" in caught.value.message()
