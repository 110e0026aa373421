"""What happened between two snapshots."""

from dataclasses import replace

from farm_readings import model, node, snapshot
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.core.changes import changes
from farm.core.events import EventKind, Severity
from farm.core.models import ModelState
from farm.core.nodes import NodeState
from farm.core.snapshots import FarmSnapshot, GatewayState, NodeSnapshot

ANY_NODE = st.builds(
    node,
    st.sampled_from(["pi-01", "pi-02"]),
    state=st.sampled_from(NodeState),
    throttle_flags=st.none() | st.integers(0, (1 << 20) - 1),
    meter_fault=st.sampled_from(["", "it hangs"]),
    cordoned=st.booleans(),
)
ANY_FARM = st.builds(
    lambda nodes, models, state: snapshot(nodes=tuple(nodes), models=tuple(models), state=state),
    st.lists(ANY_NODE, max_size=2, unique_by=lambda node: node.node_id),
    st.lists(
        st.builds(model, st.sampled_from(["a", "b"]), state=st.sampled_from(ModelState)),
        max_size=2,
        unique_by=lambda model: model.key,
    ),
    st.sampled_from(GatewayState),
)


def kinds(before: FarmSnapshot | None, after: FarmSnapshot) -> list[EventKind]:
    return [happening.kind for happening in changes(before, after)]


def between(before: NodeSnapshot, after: NodeSnapshot) -> list[EventKind]:
    return kinds(snapshot(nodes=(before,)), snapshot(nodes=(after,)))


@settings(deadline=None)
@given(ANY_FARM)
def test_nothing_happens_in_a_farm_that_stays_as_it_is(farm: FarmSnapshot) -> None:
    assert kinds(farm, farm) == []


@settings(deadline=None)
@given(ANY_FARM, ANY_FARM)
def test_each_thing_is_told_once(before: FarmSnapshot, after: FarmSnapshot) -> None:
    told = list(changes(before, after))
    assert len({(happening.kind, happening.subject) for happening in told}) == len(told)


def test_a_farm_that_is_seen_for_the_first_time_is_told_as_it_is_found() -> None:
    farm = snapshot(nodes=(node(state=NodeState.LOST, reason="killed"),), models=(model(),))
    gateway, lost, ready = changes(None, farm)
    assert gateway.kind is EventKind.GATEWAY_SERVING
    assert (lost.kind, lost.severity, lost.detail) == (
        EventKind.NODE_LOST,
        Severity.ERROR,
        "killed",
    )
    assert (ready.kind, ready.subject) == (EventKind.MODEL_READY, "digits:1")


def test_a_node_that_came_back_as_another_process() -> None:
    before = node()
    assert before.profile is not None
    after = replace(before, profile=replace(before.profile, incarnation="another"))
    assert between(before, after) == [EventKind.NODE_RESTARTED]


def test_a_cordon_that_is_lifted_from_a_node_that_is_not_back_yet() -> None:
    away = node(state=NodeState.LOST, cordoned=True)
    assert between(away, replace(away, cordoned=False)) == [EventKind.NODE_UNCORDONED]


def test_a_node_without_batches_is_cordoned_or_restarting() -> None:
    assert between(node(), node(state=NodeState.CORDONED, cordoned=True)) == [
        EventKind.NODE_CORDONED
    ]
    assert between(node(), node(state=NodeState.CORDONED)) == [EventKind.NODE_RESTARTING]


def test_who_tells_nothing_is_not_told_to_be_well_again() -> None:
    before = node(throttle_flags=1, meter_fault="it hangs")
    assert between(before, replace(before, vitals=None, meter_fault="")) == []


def test_throttling_begins_and_ends_with_the_bits_of_this_moment() -> None:
    since_boot = node(throttle_flags=0b101 << 16)
    now = node(throttle_flags=0b101 << 16 | 0b101)
    assert between(since_boot, now) == [EventKind.NODE_THROTTLED]
    assert between(now, since_boot) == [EventKind.NODE_UNTHROTTLED]
    assert (
        "too little voltage and it is throttled"
        in next(changes(snapshot(nodes=(since_boot,)), snapshot(nodes=(now,)))).detail
    )


def test_a_meter_that_fails_and_comes_back() -> None:
    assert between(node(), node(meter_fault="it hangs")) == [EventKind.METER_LOST]
    assert between(node(meter_fault="it hangs"), node()) == [EventKind.METER_BACK]


def test_a_model_that_is_gone() -> None:
    assert kinds(snapshot(models=(model(),)), snapshot()) == [EventKind.MODEL_REMOVED]
