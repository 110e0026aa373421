"""What answers say in their parameters, one after another."""

from dataclasses import replace

from fake_dataplane import RECEIPT
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.core.energy import EnergyReading, EnergySource
from farm.core.requests import Receipt
from farm.engine.pricing import Price
from farm.frontend.receipts import Receipts
from farm.pb.open_inference_pb2 import ModelInferResponse

ENERGY = EnergyReading(joules=1.0, low=0.5, high=3.0, source=EnergySource.MODELLED, window_s=0.1)
PRICE = Price(1e-6, "EUR", "somewhere 2026-01-01", 2e-6, "USD")


def put(receipts: Receipts, receipt: Receipt, price: Price) -> ModelInferResponse:
    response = ModelInferResponse(id="mine")
    receipts.put(response, receipt, price)
    return response


# Few values of each, so that many answers have most in common with the one before.
answers = st.tuples(
    st.builds(
        replace,
        st.just(RECEIPT),
        node_id=st.sampled_from(["pi-1", "pi-2"]),
        digest=st.sampled_from(["d1", "d2"]),
        policy=st.sampled_from(["round_robin", "energy_aware"]),
        batch_rows=st.sampled_from([8, 16]),
        share=st.sampled_from([1 / 16, 1 / 8, 1.0]),
        compute_s=st.sampled_from([0.25, 0.5]),
        queue_s=st.floats(0, 1),
        batch_energy=st.sampled_from([None, ENERGY, replace(ENERGY, high=4.0)]),
    ),
    st.sampled_from([Price(), PRICE, PRICE._replace(cost=3e-6), PRICE._replace(currency="USD")]),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(answers, min_size=2, max_size=6))
def test_an_answer_says_the_same_whatever_was_answered_before(
    given_answers: list[tuple[Receipt, Price]],
) -> None:
    receipts = Receipts()
    for receipt, price in given_answers:
        assert put(receipts, receipt, price) == put(Receipts(), receipt, price)


def test_mates_differ_in_their_wait_alone() -> None:
    receipts = Receipts()
    first = replace(RECEIPT, batch_rows=16, share=1 / 16, batch_energy=ENERGY, queue_s=0.001)
    one = put(receipts, first, PRICE).parameters
    other = put(receipts, replace(first, queue_s=0.002), PRICE).parameters
    assert (one["farm_queue_us"].int64_param, other["farm_queue_us"].int64_param) == (1000, 2000)
    assert one["farm_energy_j"].double_param == 1 / 16
    assert {key for key in one if one[key] != other[key]} == {"farm_queue_us"}
