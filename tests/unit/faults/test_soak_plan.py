"""A soak's plan is its seed's: the same again, and every fault in it."""

from hypothesis import given, settings
from hypothesis import strategies as st
from soak_plan import LOSING, Fault, round_of

NODES = ("local-1", "local-2")
SEEDS = st.integers(0, 2**32)
NUMBERS = st.integers(0, 10_000)


@settings(deadline=None)
@given(SEEDS, NUMBERS)
def test_a_round_is_that_of_its_seed_and_number(seed: int, number: int) -> None:
    assert round_of(seed, number, NODES) == round_of(seed, number, NODES)


@settings(deadline=None)
@given(SEEDS, st.integers(0, 100))
def test_every_fault_comes_first_once_in_as_many_rounds(seed: int, block: int) -> None:
    start = block * len(Fault)
    rounds = [round_of(seed, start + place, NODES) for place in range(len(Fault))]
    assert sorted(each.blows[0].fault for each in rounds) == sorted(Fault)


@settings(deadline=None)
@given(SEEDS, NUMBERS)
def test_a_round_loses_at_most_one_node_and_only_of_those_given(seed: int, number: int) -> None:
    blows = round_of(seed, number, NODES).blows
    assert sum(blow.fault in LOSING for blow in blows) <= 1
    assert {blow.node for blow in blows} <= {"", *NODES}


def test_seeds_differ() -> None:
    plans = {tuple(round_of(seed, number, NODES) for number in range(9)) for seed in range(20)}
    assert len(plans) == 20
