"""What a gateway remembers of a node, and what the screen has seen since."""

from farm_readings import BEGINS, SECOND, node

from farm.core.histories import HistoryPoint
from tui.readings.node_history import joined
from tui.readings.rates import NodeRates
from tui.readings.trends import Trends


def _trends(*moments: int) -> Trends:
    trends = Trends()
    for at in moments:
        trends.take(BEGINS + at * SECOND, node(cpu_fraction=at / 100), NodeRates(batch_s=0.5))
    return trends


def _points(*moments: int) -> list[HistoryPoint]:
    return [
        HistoryPoint(unix_ns=BEGINS + at * SECOND, cpu_fraction=0.9, latency_s=0.1)
        for at in moments
    ]


def test_the_past_ends_where_the_screen_itself_began_to_see() -> None:
    history = joined(_points(0, 2, 4, 6), _trends(5, 6, 7))
    assert [(at - BEGINS) // SECOND for at in history.unix_ns] == [0, 2, 4, 5, 6, 7]
    assert history.cpu_fraction == [0.9, 0.9, 0.9, 0.05, 0.06, 0.07]
    assert history.latency_s == [0.1, 0.1, 0.1, 0.5, 0.5, 0.5]
    assert history.watts == [None, None, None, 4.2, 4.2, 4.2]


def test_without_a_past_there_is_what_was_seen() -> None:
    assert len(joined((), _trends(1, 2)).unix_ns) == 2


def test_without_trends_there_is_the_past() -> None:
    assert len(joined(_points(1, 2), Trends()).unix_ns) == 2


def test_after_a_clock_was_set_back_only_what_came_since_counts() -> None:
    history = joined(_points(1, 2, 3), _trends(10, 11, 3, 4))
    assert [(at - BEGINS) // SECOND for at in history.unix_ns] == [1, 2, 3, 4]
