"""Rates from the counts of snapshots."""

import pytest
from farm_readings import SECOND, model, node, snapshot
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.core.snapshots import AnswerPrices, NodeWork
from tui.readings.rates import WINDOW_S, RateMeter


def test_one_snapshot_alone_tells_no_rate() -> None:
    rates = RateMeter().take(snapshot(nodes=(node(work=NodeWork(answers_total=50)),)))
    assert rates.farm.requests_per_s == 0
    assert rates.farm.p50_s is None
    assert rates.nodes["pi-01"].requests_per_s == 0


def test_a_node_by_what_it_did_between_two_snapshots() -> None:
    meter = RateMeter()
    meter.take(snapshot(nodes=(node(),)))
    work = NodeWork(
        answers_total=20, batches_total=5, rows_total=40, failures_total=1, compute_s=0.5, joules=8
    )
    told = meter.take(snapshot(2, nodes=(node(work=work),))).nodes["pi-01"]
    assert told.requests_per_s == 10
    assert told.batch_rows == 8
    assert told.batch_s == pytest.approx(0.1)
    assert told.joules_per_request == pytest.approx(0.4)
    assert told.failures == 1


def test_latencies_of_all_models_together() -> None:
    meter = RateMeter()
    meter.take(snapshot(models=(model("a"), model("b"))))
    rates = meter.take(
        snapshot(1, models=(model("a", latencies={3: 90}), model("b", latencies={10: 10})))
    )
    assert rates.farm.requests_per_s == 100
    assert rates.farm.p50_s is not None
    assert rates.farm.p50_s < 0.003
    assert rates.farm.p95_s is not None
    assert 0.022 < rates.farm.p95_s < 0.033


def test_a_thousand_answers_here_and_by_the_baseline() -> None:
    meter = RateMeter()
    meter.take(snapshot(prices=AnswerPrices(answers=10, cost=1.0, baseline_cost=5.0)))
    prices = AnswerPrices(answers=30, cost=1.5, currency="USD", baseline_cost=6.0, baseline="L")
    farm = meter.take(snapshot(1, prices=prices)).farm
    assert farm.cost_per_1000 == pytest.approx(25)
    assert farm.baseline_per_1000 == pytest.approx(50)


def test_a_gateway_that_began_anew_counts_from_nothing() -> None:
    meter = RateMeter()
    meter.take(snapshot(nodes=(node(work=NodeWork(answers_total=100)),)))
    anew = snapshot(1, nodes=(node(work=NodeWork(answers_total=3)),), began=1)
    assert meter.take(anew).nodes["pi-01"].requests_per_s == 0


def test_a_version_that_was_loaded_anew_is_never_below_nothing() -> None:
    meter = RateMeter()
    meter.take(snapshot(models=(model("a", latencies={3: 90}),)))
    rates = meter.take(snapshot(1, models=(model("a", latencies={3: 5}),)))
    assert rates.farm.requests_per_s == 5


@settings(deadline=None)
@given(st.lists(st.integers(1, 5 * SECOND), min_size=1, max_size=60))
def test_a_steady_rate_is_told_whatever_the_times_of_snapshots(gaps: list[int]) -> None:
    meter = RateMeter()
    at = 0
    meter.take(snapshot(0, nodes=(node(),)))
    for gap in gaps:
        at += gap
        work = NodeWork(answers_total=at)
        told = meter.take(snapshot(at / SECOND, nodes=(node(work=work),)))
        assert told.nodes["pi-01"].requests_per_s == pytest.approx(SECOND)


def test_rates_forget_what_is_older_than_their_window() -> None:
    meter = RateMeter()
    meter.take(snapshot(0, nodes=(node(),)))
    busy = NodeWork(answers_total=1000)
    for second in range(1, int(WINDOW_S) + 3):
        rates = meter.take(snapshot(second, nodes=(node(work=busy),)))
    assert rates.nodes["pi-01"].requests_per_s == 0
