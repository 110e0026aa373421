"""The other policies, by themselves and in the machine."""

from collections import Counter

import pytest
from harness import SCALE as MODEL
from harness import MakeDriver, arrivals, digest, joined, spec
from hypothesis import given
from hypothesis import strategies as st

from farm.core.models import LatencyCurve
from farm.scheduling.effects import DispatchBatch, ResolveRequest
from farm.scheduling.events import ModelChanged, NodeChanged
from farm.scheduling.placement import POLICIES, Candidate

QUICK = LatencyCurve(((1, 0.02), (8, 0.16)))
SLOW = LatencyCurve(((1, 0.16), (8, 1.28)))


def candidate(
    node_id: str,
    *,
    completion_s: float = 0.1,
    last_used: int = 0,
    backlog_s: float = 0.0,
    joules: float | None = None,
    in_time: bool = True,
) -> Candidate:
    return Candidate(
        node_id=node_id,
        rows=1,
        completion_s=completion_s,
        last_used=last_used,
        backlog_s=backlog_s,
        free=backlog_s == 0,
        joules=joules,
        in_time=in_time,
    )


candidates = st.lists(
    st.builds(
        candidate,
        st.uuids().map(str),
        completion_s=st.floats(0.001, 10),
        last_used=st.integers(0, 99),
        backlog_s=st.floats(0, 1),
        joules=st.none() | st.floats(0, 10),
        in_time=st.booleans(),
    ),
    min_size=1,
    max_size=8,
)


@pytest.mark.parametrize("name", POLICIES)
@given(offered=candidates)
def test_a_policy_chooses_one_of_what_it_is_offered_and_says_why(
    name: str, offered: list[Candidate]
) -> None:
    policy = POLICIES[name](1)
    chosen, reason = policy.choose(offered)
    assert chosen in offered
    assert reason
    assert policy.name == name


@pytest.mark.parametrize("name", POLICIES)
@given(offered=candidates)
def test_the_same_seed_chooses_the_same(name: str, offered: list[Candidate]) -> None:
    assert POLICIES[name](7).choose(offered) == POLICIES[name](7).choose(offered)


def test_energy_aware_takes_the_fewest_joules_that_are_in_time() -> None:
    policy = POLICIES["energy_aware"](0)
    thrifty = candidate("pi3", completion_s=0.16, joules=0.2)
    quick = candidate("pi5", completion_s=0.02, joules=0.9)
    assert policy.choose([quick, thrifty])[0] is thrifty
    late = candidate("pi3", completion_s=0.16, joules=0.2, in_time=False)
    assert policy.choose([quick, late])[0] is quick


def test_energy_aware_takes_the_quickest_where_nobody_knows_joules() -> None:
    policy = POLICIES["energy_aware"](0)
    quick, slow = candidate("pi5", completion_s=0.02), candidate("pi3", completion_s=0.16)
    chosen, reason = policy.choose([slow, quick])
    assert chosen is quick
    assert "unknown" in reason


def test_two_choices_spread_and_prefer_the_idle_one() -> None:
    policy = POLICIES["power_of_two_choices"](0)
    offered = [candidate(name) for name in "abcd"] + [candidate("busy", backlog_s=1.0)]
    taken = Counter(policy.choose(offered)[0].node_id for _ in range(400))
    assert taken["busy"] == 0
    assert min(taken[name] for name in "abcd") > 30


def test_round_robin_takes_turns_however_slow_they_are(make_driver: MakeDriver) -> None:
    driver = make_driver(policy=POLICIES["round_robin"](0))
    driver.send(joined("pi3", curve=SLOW), joined("pi5", curve=QUICK))
    for id_ in range(1, 5):
        driver.send(*arrivals(id_))
        driver.finish(id_)
    assert [node for _, node, _ in driver.dispatched.values()] == ["pi3", "pi5", "pi3", "pi5"]


def test_energy_aware_finds_the_thriftiest_of_boards_that_are_alike(
    make_driver: MakeDriver,
) -> None:
    driver = make_driver(policy=POLICIES["energy_aware"](0))
    joules = {"a": 0.9, "b": 0.8, "c": 0.7, "d": 0.2}
    driver.send(*(joined(node_id, curve=QUICK) for node_id in joules))
    for node_id, figure in joules.items():
        driver.send(NodeChanged(node_id=node_id, joules_per_row={digest(MODEL): figure}))
    for id_ in range(1, 4):
        driver.send(*arrivals(id_))
        driver.finish(id_)
    assert {node for _, node, _ in driver.dispatched.values()} == {"d"}


def test_joules_reach_the_policy_and_the_receipt_names_it(make_driver: MakeDriver) -> None:
    driver = make_driver(policy=POLICIES["energy_aware"](0))
    driver.send(joined("pi3", curve=SLOW), joined("pi5", curve=QUICK))
    driver.send(NodeChanged(node_id="pi3", joules_per_row={digest(MODEL): 0.2}))
    driver.send(NodeChanged(node_id="pi5", joules_per_row={digest(MODEL): 0.9}))
    driver.send(*arrivals(1))
    (dispatch,) = (effect for effect in driver.last() if isinstance(effect, DispatchBatch))
    assert dispatch.placement.node_id == "pi3"
    driver.finish(1)
    (answer,) = (effect for effect in driver.last() if isinstance(effect, ResolveRequest))
    assert answer.receipt.policy == "energy_aware"


@pytest.mark.parametrize("name", ["energy_aware", "power_of_two_choices", "round_robin"])
def test_a_bound_on_instances_sends_no_batch_behind_another_beside_a_free_slot(
    make_driver: MakeDriver, name: str
) -> None:
    driver = make_driver(policy=POLICIES[name](1))
    driver.send(ModelChanged(MODEL, spec(max_instances=4)))
    driver.send(joined("a", slots=1, lookahead=1), *arrivals(1))
    driver.send(joined("b", slots=2, lookahead=1), *arrivals(2))
    assert driver.send(*arrivals(3)) == ["dispatch #3 [3] to b"]
