"""How large batches are, when they form, and what may ride together."""

from math import inf

import pytest
from harness import (
    FLAT,
    OTHER,
    PAYING,
    SCALE,
    SOLO,
    Driver,
    MakeDriver,
    arrivals,
    joined,
    request,
    spec,
)

from farm.core.models import DynamicBatching, LatencyCurve, ModelKey
from farm.scheduling.batching import Sizing, target_rows
from farm.scheduling.effects import DispatchBatch
from farm.scheduling.events import ModelChanged, RequestArrived, RequestCancelled

HALVING = LatencyCurve(((1, 0.1), (4, 0.2), (8, 0.3)))
KNEE = LatencyCurve(((1, 0.1), (4, 0.2), (8, 0.8)))
TINY = LatencyCurve(((1, 0.0001), (8, 0.0008)))


@pytest.mark.parametrize(
    ("curve", "waiting", "max_rows", "time_left_s", "rows"),
    [
        pytest.param(FLAT, 8, 8, inf, 1, id="flat"),
        pytest.param(PAYING, 8, 8, inf, 8, id="paying"),
        pytest.param(PAYING, 3, 8, inf, 3, id="paying, few wait"),
        pytest.param(PAYING, 99, 8, inf, 8, id="paying, the model's bound"),
        pytest.param(PAYING, 1, 8, inf, 1, id="one waits"),
        pytest.param(KNEE, 8, 8, inf, 4, id="worse beyond 4"),
        pytest.param(HALVING, 8, 8, 0.25, 4, id="8 would be late"),
        pytest.param(HALVING, 8, 8, 0.2005, 1, id="4 would be late, by its dispatch"),
        pytest.param(HALVING, 8, 8, 0.15, 1, id="4 would be late"),
        pytest.param(HALVING, 8, 8, -1.0, 1, id="all would be late"),
        pytest.param(TINY, 8, 8, inf, 8, id="flat, but the dispatch costs more"),
        pytest.param(None, 5, 8, inf, 5, id="no curve"),
        pytest.param(None, 9, 8, inf, 8, id="no curve, the model's bound"),
        pytest.param(PAYING, 5, 1, inf, 1, id="unbatched"),
    ],
)
def test_target_rows(
    curve: LatencyCurve | None, waiting: int, max_rows: int, time_left_s: float, rows: int
) -> None:
    sizing = Sizing(first=1, waiting=waiting, max_rows=max_rows, overhead_s=0.001)
    assert rows == target_rows(sizing, curve=curve, time_left_s=time_left_s)


def test_the_first_request_rides_whatever_the_curve_says() -> None:
    for waiting in (4, 8):
        sizing = Sizing(first=4, waiting=waiting, max_rows=8, overhead_s=0.001)
        assert target_rows(sizing, curve=FLAT, time_left_s=inf) == 4


@pytest.mark.parametrize(
    ("curve", "preferred", "first", "waiting", "time_left_s", "rows"),
    [
        pytest.param(PAYING, (4, 2), 1, 5, inf, 4, id="the best of those that fit"),
        pytest.param(FLAT, (4, 2), 1, 5, inf, 2, id="flat, so the smallest that fits"),
        pytest.param(KNEE, (8, 4), 1, 8, inf, 4, id="worse beyond 4"),
        pytest.param(None, (2, 4), 1, 5, inf, 4, id="no curve, so the largest that fits"),
        pytest.param(None, (8,), 1, 5, inf, 5, id="none can be filled"),
        pytest.param(FLAT, (8,), 1, 5, inf, 1, id="none can be filled, by the curve"),
        pytest.param(PAYING, (2, 6), 3, 5, inf, 5, id="none has room for the first"),
        pytest.param(PAYING, (16,), 1, 20, inf, 8, id="above the model's bound"),
        pytest.param(HALVING, (4, 8), 1, 8, 0.25, 4, id="8 would be late"),
        pytest.param(HALVING, (8,), 1, 8, 0.25, 4, id="all would be late, others are not"),
    ],
)
def test_preferred_sizes(
    curve: LatencyCurve | None,
    preferred: tuple[int, ...],
    first: int,
    waiting: int,
    time_left_s: float,
    rows: int,
) -> None:
    sizing = Sizing(first=first, waiting=waiting, max_rows=8, overhead_s=0.001, preferred=preferred)
    assert rows == target_rows(sizing, curve=curve, time_left_s=time_left_s)


def test_a_batch_has_a_preferred_size_where_one_can_be_filled(driver: Driver) -> None:
    driver.send(ModelChanged(SCALE, spec(batching=DynamicBatching(preferred_batch_sizes=(4,)))))
    assert driver.send(joined(curve=PAYING), *arrivals(1, 2, 3, 4, 5)) == [
        "dispatch #1 [1 2 3 4] to a"
    ]
    assert driver.finish(1)[-1] == "dispatch #2 [5] to a"


def test_a_request_of_many_rows_goes_where_that_many_are_done_first(driver: Driver) -> None:
    slow_together = LatencyCurve(((1, 0.01), (4, 0.2)))
    fast_together = LatencyCurve(((1, 0.02), (4, 0.04)))
    driver.send(joined("a", curve=slow_together), joined("b", curve=fast_together))
    assert driver.send(RequestArrived(request(1, rows=4))) == ["dispatch #1 [1] to b"]


def test_the_next_batch_forms_while_the_slot_is_busy(driver: Driver) -> None:
    driver.send(joined())
    assert driver.send(*arrivals(1)) == ["dispatch #1 [1] to a"]
    assert driver.send(*arrivals(2)) == []
    assert driver.send(*arrivals(3, 4)) == []
    assert driver.finish(1) == ["resolve 1", "ledger #1 completed", "dispatch #2 [2 3 4] to a"]


def test_a_flat_curve_runs_rows_one_by_one_on_every_slot(driver: Driver) -> None:
    driver.send(joined(curve=FLAT, slots=2))
    assert driver.send(*arrivals(1, 2, 3)) == ["dispatch #1 [1] to a", "dispatch #2 [2] to a"]


def test_a_batch_stops_growing_where_it_would_miss_the_deadline(driver: Driver) -> None:
    driver.send(joined(curve=HALVING))
    # Of the time of the first a margin is left, because others wait behind it.
    rush = [RequestArrived(request(id_, deadline=0.3 if id_ == 1 else 9.0)) for id_ in range(1, 7)]
    assert driver.send(*rush) == ["dispatch #1 [1 2 3 4] to a", "wake 0.3"]


def test_only_rows_that_still_wait_count(driver: Driver) -> None:
    driver.send(*arrivals(*range(1, 9)))
    driver.send(*(RequestCancelled(id_) for id_ in range(3, 9)))
    # Eight rows would pay, the two that are left do not.
    steep = LatencyCurve(((1, 0.1), (2, 0.2), (8, 0.2)))
    assert driver.send(joined(curve=steep)) == ["dispatch #1 [1] to a"]


def test_look_ahead_waits_until_the_running_batch_is_nearly_done(driver: Driver) -> None:
    driver.send(joined(curve=PAYING, lookahead=1))
    driver.send(*arrivals(1))
    # 1 ms of dispatch and 100 ms of compute, less the 5 ms horizon.
    assert driver.send(*arrivals(2)) == ["wake 0.096"]
    driver.advance_to(0.05)
    assert driver.send(*arrivals(3)) == []
    assert driver.advance_to(0.097) == ["dispatch #2 [2 3] to a"]
    assert driver.send(*arrivals(4)) == []
    assert driver.finish(1) == ["resolve 1", "ledger #1 completed", "wake 0.193"]
    assert [batch.trigger for batch, _, _ in driver.dispatched.values()] == [
        "free_slot",
        "lookahead",
    ]


def test_without_look_ahead_nothing_waits_at_the_node(driver: Driver) -> None:
    driver.send(joined(curve=PAYING, lookahead=0))
    driver.send(*arrivals(1))
    assert driver.send(*arrivals(2)) == []
    assert driver.advance_to(9.0) == []


def test_shapes_do_not_mix(driver: Driver) -> None:
    driver.send(joined())
    widths = {1: 2, 2: 3, 3: 2, 4: 3}
    mixed = [RequestArrived(request(id_, width=width)) for id_, width in widths.items()]
    assert driver.send(*mixed) == ["dispatch #1 [1 3] to a"]
    assert driver.finish(1)[-1] == "dispatch #2 [2 4] to a"


def test_models_and_versions_do_not_mix(driver: Driver) -> None:
    newer = ModelKey("scale", 2)
    for key in (OTHER, newer):
        driver.send(ModelChanged(key, spec(key)))
    driver.send(joined(slots=3, models=(SCALE, OTHER, newer)))
    mixed = [
        RequestArrived(request(id_, model=key))
        for id_, key in enumerate((SCALE, OTHER, newer, SCALE), start=1)
    ]
    assert driver.send(*mixed) == [
        "dispatch #1 [1 4] to a",
        "dispatch #2 [2] to a",
        "dispatch #3 [3] to a",
    ]


def test_rows_are_counted_not_requests(driver: Driver) -> None:
    driver.send(joined())
    assert driver.send(*(RequestArrived(request(id_, rows=3)) for id_ in (1, 2, 3))) == [
        "dispatch #1 [1 2] to a"
    ]
    (dispatch,) = driver.last()
    assert isinstance(dispatch, DispatchBatch)
    assert dispatch.batch.rows == 6


def test_bytes_limit_a_batch_but_never_a_single_request(make_driver: MakeDriver) -> None:
    driver = make_driver(max_batch_bytes=16)
    driver.send(joined(slots=3))
    large = RequestArrived(request(4, rows=4))
    assert driver.send(*arrivals(1, 2, 3), large) == [
        "dispatch #1 [1 2] to a",
        "dispatch #2 [3] to a",
        "dispatch #3 [4] to a",
    ]


def test_an_unbatched_model_runs_every_request_by_itself(driver: Driver) -> None:
    driver.send(ModelChanged(SOLO, spec(SOLO, max_batch_size=0)), joined(models=(SOLO,)))
    pair = [RequestArrived(request(id_, model=SOLO)) for id_ in (1, 2)]
    assert driver.send(*pair) == ["dispatch #1 [1] to a"]
    assert driver.finish(1)[-1] == "dispatch #2 [2] to a"
