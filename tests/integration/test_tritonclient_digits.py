"""Digits through an unmodified tritonclient and three nodes, answers compared bit by bit."""

import numpy as np
import pytest
import tritonclient.grpc as triton
from digit_load import Load
from farm_process import FarmProcess
from local_answers import Digits

from farm import zoo

pytestmark = pytest.mark.integration


@pytest.fixture
def client(farm: FarmProcess):
    with triton.InferenceServerClient(farm.grpc) as opened:
        yield opened


def image_input(images: np.ndarray) -> list[triton.InferInput]:
    given = triton.InferInput("image", list(images.shape), "FP32")
    given.set_data_from_numpy(images)
    return [given]


def test_one_row_alone_is_bit_equal(client: triton.InferenceServerClient, digits: Digits) -> None:
    for index in range(20):
        result = client.infer("digits", image_input(digits.images[index : index + 1]))
        probabilities = result.as_numpy("probabilities")
        assert probabilities.tobytes() == digits.probabilities[index].tobytes()
        assert result.as_numpy("label").tolist() == [digits.labels[index]]


@pytest.mark.parametrize("rows", [2, 3, 7, 16, 64])
def test_rows_sent_together_are_bit_equal(
    client: triton.InferenceServerClient, digits: Digits, rows: int
) -> None:
    result = client.infer("digits", image_input(digits.images[:rows]))
    assert result.as_numpy("probabilities").tobytes() == digits.probabilities[:rows].tobytes()


async def test_requests_batched_by_the_farm_are_bit_equal(load: Load) -> None:
    wanted = iter(range(1500))
    await load.run(concurrency=64, go_on=lambda: next(wanted, None) is not None)
    assert load.answered >= 1500
    assert load.wrong == 0
    assert load.errors == []
    assert max(load.batch_sizes) > 1, "nothing was batched, so nothing was shown"
    assert len(load.nodes) == 3, "all three nodes take their share"


def test_int8_stays_within_its_goldens(
    client: triton.InferenceServerClient, digits_int8: Digits
) -> None:
    golden = zoo.models_dir() / "digits_int8" / "1" / "golden" / "any" / "heldout.npz"
    with np.load(golden) as archive:
        rtol, atol = float(archive["rtol"]), float(archive["atol"])
    for rows in (1, 8, 32):
        result = client.infer("digits_int8", image_input(digits_int8.images[:rows]))
        answer = result.as_numpy("probabilities")
        np.testing.assert_allclose(answer, digits_int8.probabilities[:rows], rtol=rtol, atol=atol)


def test_outputs_in_the_order_asked(client: triton.InferenceServerClient, digits: Digits) -> None:
    wanted = [triton.InferRequestedOutput("label"), triton.InferRequestedOutput("probabilities")]
    result = client.infer("digits", image_input(digits.images[:2]), outputs=wanted)
    assert [output.name for output in result.get_response().outputs] == ["label", "probabilities"]
    only = client.infer("digits", image_input(digits.images[:2]), outputs=wanted[:1])
    assert only.as_numpy("probabilities") is None
    assert only.as_numpy("label").tolist() == digits.labels[:2].tolist()


def test_a_request_gets_its_id_and_a_receipt(
    client: triton.InferenceServerClient, digits: Digits
) -> None:
    result = client.infer("digits", image_input(digits.images[:3]), request_id="req-7")
    response = result.get_response()
    assert response.id == "req-7"
    receipt = {
        key: getattr(value, value.WhichOneof("parameter_choice"))
        for key, value in response.parameters.items()
    }
    assert receipt["farm_node"].startswith("local-")
    assert receipt["farm_route"] == "farm"
    assert len(receipt["farm_model_digest"]) == 64
    assert receipt["farm_batch_size"] == 3
    assert receipt["farm_queue_us"] >= 0
    assert receipt["farm_compute_us"] > 0


def test_no_receipt_when_none_is_wanted(
    client: triton.InferenceServerClient, digits: Digits
) -> None:
    result = client.infer(
        "digits", image_input(digits.images[:1]), parameters={"farm_receipt": False}
    )
    assert not result.get_response().parameters
