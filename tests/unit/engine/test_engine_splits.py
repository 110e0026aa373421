"""Which split of a node's cores a model runs on."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.core.models import LatencyCurve, ModelKey, ModelSpec, Objective
from farm.core.nodes import NodeProfile
from farm.engine.splits import Demand, choose, demand, slots

PI = NodeProfile(node_id="pi", incarnation="1", slots=4, threads_per_slot=1, splits=(1, 2, 4))
SPEC = ModelSpec(
    key=ModelKey("m", 1), digest="d", inputs=(), outputs=(), max_batch_size=8, joins=True
)
THROUGHPUT = demand([SPEC])
LATENCY = demand([replace(SPEC, objective=Objective.LATENCY)])

# MobileNetV2 on a Pi 5 (FACTS 3): four threads answer 1.56 times as fast as one.
ONE = LatencyCurve(((1, 0.0164),), 1)
TWO = LatencyCurve(((1, 0.0131),), 2)
FOUR = LatencyCurve(((1, 0.0105),), 4)


@pytest.mark.parametrize(("wanted", "chosen"), [(THROUGHPUT, ONE), (LATENCY, FOUR)])
def test_one_thread_slots_give_throughput_and_all_cores_latency(
    wanted: Demand, chosen: LatencyCurve
) -> None:
    assert choose((TWO, FOUR, ONE), wanted, PI) == chosen


@pytest.mark.parametrize("wanted", [THROUGHPUT, LATENCY])
def test_without_curves_nothing_is_chosen(wanted: Demand) -> None:
    assert choose((), wanted, PI) is None


def test_throughput_goes_by_the_best_batch_size() -> None:
    batching = LatencyCurve(((1, 0.02), (8, 0.03)), 4)
    assert choose((ONE, batching), THROUGHPUT, PI) == batching
    # Where requests are not joined, the same split has only its batches of one.
    alone = demand([replace(SPEC, joins=False)])
    assert choose((ONE, batching), alone, PI) == ONE


@pytest.mark.parametrize(("four_s", "chosen"), [(0.96, 1), (0.94, 4)])
def test_latency_within_five_percent_leaves_more_slots(four_s: float, chosen: int) -> None:
    curves = (LatencyCurve(((1, four_s),), 4), LatencyCurve(((1, 1.0),), 1))
    best = choose(curves, LATENCY, PI)
    assert best is not None
    assert best.threads == chosen


@pytest.mark.parametrize(("four_s", "chosen"), [(0.24, 1), (0.23, 4)])
def test_throughput_within_five_percent_leaves_more_slots(four_s: float, chosen: int) -> None:
    curves = (LatencyCurve(((1, four_s),), 4), LatencyCurve(((1, 1.0),), 1))
    best = choose(curves, THROUGHPUT, PI)
    assert best is not None
    assert best.threads == chosen


def test_slots_that_instance_group_leaves_empty_count_nothing() -> None:
    single = demand([replace(SPEC, max_instances=1)])
    assert choose((ONE, TWO, FOUR), single, PI) == FOUR


def test_versions_of_the_same_files_share_a_split_and_latency_decides() -> None:
    both = demand(
        [
            replace(SPEC, max_instances=1, max_batch_size=0, joins=False),
            replace(SPEC, objective=Objective.LATENCY, max_instances=2),
        ]
    )
    assert both == Demand(objective=Objective.LATENCY, max_rows=8, batch_rows=8, instances=2)
    assert demand([SPEC, replace(SPEC, max_instances=2)]).instances == 0


def test_an_older_nodes_curve_is_that_of_its_own_slots() -> None:
    profile = replace(PI, slots=2, threads_per_slot=2)
    assert slots(LatencyCurve(((1, 1.0),)), profile) == 2
    assert slots(LatencyCurve(((1, 1.0),), 8), profile) == 1


CURVES = st.lists(
    st.builds(
        LatencyCurve,
        st.lists(st.floats(1e-5, 10.0), min_size=1, max_size=5).map(
            lambda seconds: tuple((2**n, s) for n, s in enumerate(seconds))
        ),
        st.sampled_from((1, 2, 4)),
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda curve: curve.threads,
)


@given(CURVES)
def test_no_split_is_more_than_a_tie_better_than_the_one_chosen(
    curves: list[LatencyCurve],
) -> None:
    soonest = choose(curves, LATENCY, PI)
    assert soonest is not None
    assert all(soonest.seconds(1) <= curve.seconds(1) * 1.0501 for curve in curves)

    def most(curve: LatencyCurve) -> float:
        return 4 // curve.threads * max(rows / s for rows, s in curve.points if rows <= 8)

    busiest = choose(curves, THROUGHPUT, PI)
    assert busiest is not None
    assert all(most(busiest) >= most(curve) * 0.9499 for curve in curves)
