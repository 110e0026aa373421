"""What is likely to be late takes no node away from what is not."""

import pytest
from harness import SCALE, Driver, joined, request, spec

from farm.core.models import LatencyCurve
from farm.scheduling.events import ModelChanged, RequestArrived
from farm.scheduling.roster import Outlook

LONG = LatencyCurve(((1, 1.0),))
SLOW = LatencyCurve(((1, 0.2),))
QUICK = LatencyCurve(((1, 0.05),))


def arrivals(*deadlines: float) -> list[RequestArrived]:
    return [
        RequestArrived(request(id_, deadline=deadline))
        for id_, deadline in enumerate(deadlines, start=1)
    ]


@pytest.fixture
def busy(driver: Driver) -> Driver:
    """A farm whose only node has a batch for a second."""
    driver.send(ModelChanged(SCALE, spec(max_batch_size=1)), joined("long", curve=LONG))
    driver.send(*arrivals(60.0))
    return driver


def test_who_has_too_little_time_left_makes_room(busy: Driver) -> None:
    busy.send(RequestArrived(request(2, deadline=1.05)), RequestArrived(request(3, deadline=9.0)))
    busy.now = 0.99
    assert "dispatch #2 [3] to slow" in busy.send(joined("slow", curve=SLOW))
    error = busy.rejected()[2].error
    assert error.code == "deadline_exceeded"
    assert "would take 201 ms for this request, which has 60 ms left" in error.message


def test_with_nobody_behind_it_a_request_is_tried_all_the_same(busy: Driver) -> None:
    busy.send(RequestArrived(request(2, deadline=1.05)))
    busy.now = 0.99
    assert "dispatch #2 [2] to slow" in busy.send(joined("slow", curve=SLOW))


def test_a_request_waits_for_the_only_node_that_does_it_in_time(driver: Driver) -> None:
    driver.send(ModelChanged(SCALE, spec(max_batch_size=1)), joined("quick", curve=QUICK))
    driver.send(*arrivals(60.0))
    driver.send(joined("slow", curve=SLOW))
    assert driver.send(RequestArrived(request(2, deadline=0.15))) == ["wake 0.099"]
    driver.now = 0.05
    assert "dispatch #2 [2] to quick" in driver.finish(1)


def test_room_sets_aside_the_time_of_the_node_that_comes_next() -> None:
    outlook = Outlook(quickest_s=(0.1, 0.1, 0.4), rates=(10.0, 20.0, 22.5), complete=True)
    assert outlook.rows_within(2.0) == pytest.approx(1.6 * 22.5)
    # The slow node is no help here.
    assert outlook.rows_within(0.3) == pytest.approx(0.2 * 20)
    assert outlook.rows_within(0.05) == 0
