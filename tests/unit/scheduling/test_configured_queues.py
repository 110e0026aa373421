"""Queues under any config, on sound nodes: the referee sees every rule kept, and all end."""

import pytest
from harness import FLAT, PAYING, SCALE, Driver, digest, joined, request, spec
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.core.models import DynamicBatching, LatencyCurve, ModelSpec, QueuePolicy, TimeoutAction
from farm.scheduling.events import ModelChanged, NodeChanged, RequestArrived

CURVES = (PAYING, PAYING, LatencyCurve(((1, 0.1), (4, 0.2), (8, 0.8))), FLAT, None)

policies = st.builds(
    QueuePolicy,
    max_queue_size=st.sampled_from([0, 0, 3]),
    timeout_action=st.sampled_from(TimeoutAction),
)
batchings = st.builds(
    DynamicBatching,
    preferred_batch_sizes=st.sampled_from([(), (), (4,), (6, 3), (8, 2)]),
    max_queue_delay_s=st.sampled_from([0.0, 0.25, 0.5, 2.0]),
    queue=policies,
    queue_by_priority=st.dictionaries(st.sampled_from([1, 2]), policies),
)
served = st.builds(
    spec, batching=batchings, max_instances=st.sampled_from([0, 1, 2]), joins=st.booleans()
)
arrivals = st.tuples(
    st.sampled_from([1, 1, 1, 2, 5]),
    st.sampled_from([1, 1, 2]),
    st.sampled_from([None, None, 0.2, 1.0, 4.0]),
    st.sampled_from([None, None, None, 0.4, 3.0]),
)
steps = st.one_of(
    st.lists(arrivals, min_size=1, max_size=4),
    st.lists(arrivals, min_size=1, max_size=4),
    st.sampled_from([0.05, 0.1, 0.3, 1.0]),
    st.integers(0, 3),
    st.sampled_from(["a", "b"]),
)
Arrival = tuple[int, int, float | None, float | None]


def arrive(driver: Driver, wanted: list[Arrival]) -> None:
    now, first = driver.now, len(driver.referee.requests) + 1
    driver.send(
        *(
            RequestArrived(
                request(
                    first + number,
                    rows=rows,
                    priority=priority,
                    arrived_at=now,
                    queue_deadline=None if queue_in is None else now + queue_in,
                    deadline=None if deadline_in is None else now + deadline_in,
                )
            )
            for number, (rows, priority, queue_in, deadline_in) in enumerate(wanted)
        )
    )


def finish(driver: Driver, at_most: int) -> None:
    for batch_id in sorted(driver.referee.flights)[:at_most]:
        driver.finish(batch_id)


@pytest.mark.timeout(120)
@settings(max_examples=500, deadline=None)
@given(
    served=served,
    curves=st.lists(st.sampled_from(CURVES), min_size=1, max_size=2),
    slots=st.integers(1, 2),
    lookahead=st.integers(0, 1),
    script=st.lists(steps, max_size=30),
)
def test_every_rule_of_a_config_is_kept(
    served: ModelSpec,
    curves: list[LatencyCurve | None],
    slots: int,
    lookahead: int,
    script: list[list[Arrival] | float | int | str],
) -> None:
    driver = Driver()
    driver.send(ModelChanged(SCALE, served))
    for node_id, curve in zip("ab", curves, strict=False):
        driver.send(joined(node_id, curve=curve, slots=slots, lookahead=lookahead))
    for step in script:
        match step:
            case list():
                arrive(driver, step)
            case float():
                driver.advance_to(driver.now + step)
            case int():
                finish(driver, step)
            case str():
                driver.send(NodeChanged(node_id=step, ready={digest(SCALE): PAYING}))
        driver.check()
    for _ in range(len(driver.referee.requests)):
        driver.advance_to(driver.now + 2.0)
        finish(driver, 99)
    driver.check_nothing_left()
