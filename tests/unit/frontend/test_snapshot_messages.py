"""A farm in messages, and back."""

from dataclasses import replace

from farm_readings import model, node, snapshot
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.client.snapshots import of_node, of_snapshot
from farm.core.energy import EnergySource
from farm.core.models import ModelState
from farm.core.nodes import NodeState
from farm.core.snapshots import (
    AnswerPrices,
    EnergyTotals,
    FarmSnapshot,
    GatewayState,
    NodeSnapshot,
    NodeWork,
)
from farm.frontend.snapshot_messages import to_node, to_snapshot
from farm.pb import farm_admin_pb2 as pb

COUNT = st.integers(0, 1 << 40)
AMOUNT = st.floats(0, 1e9)
WORK = st.builds(
    NodeWork,
    answers_total=COUNT,
    batches_total=COUNT,
    rows_total=COUNT,
    failures_total=COUNT,
    compute_s=st.integers(0, 10**6).map(float),
    joules=AMOUNT,
)
NODE = st.builds(
    node,
    st.sampled_from(["pi-01", "pi-02"]),
    state=st.sampled_from(NodeState),
    reason=st.text(max_size=9),
    cpu_fraction=st.floats(0, 1),
    temperature_c=st.none() | st.floats(-40, 120),
    throttle_flags=st.none() | st.integers(0, (1 << 20) - 1),
    watts=st.none() | st.floats(0, 100),
    source=st.sampled_from(EnergySource),
    meter_fault=st.text(max_size=9),
    cordoned=st.booleans(),
    heartbeat_age_s=st.integers(0, 1000).map(float),
    work=WORK,
)
MODEL = st.builds(
    model,
    st.sampled_from(["a", "b"]),
    state=st.sampled_from(ModelState),
    queued=st.integers(0, 1 << 30),
    latencies=st.dictionaries(st.integers(0, 29), COUNT, max_size=3),
)
FARM = st.builds(
    lambda nodes, models, state, energy, prices, began: replace(
        snapshot(nodes=tuple(nodes), models=tuple(models), state=state, prices=prices, began=began),
        energy=energy,
        inflight_batches=sum(node.inflight_batches for node in nodes),
    ),
    st.lists(NODE, max_size=2),
    st.lists(MODEL, max_size=1),
    st.sampled_from(GatewayState),
    st.builds(EnergyTotals, measured_j=AMOUNT, cost=st.none() | AMOUNT, currency=st.text()),
    st.builds(
        AnswerPrices, answers=COUNT, cost=st.none() | AMOUNT, baseline_cost=st.none() | AMOUNT
    ),
    st.integers(0, 1 << 40),
)


@settings(deadline=None)
@given(FARM)
def test_a_farm_comes_through_as_it_is(farm: FarmSnapshot) -> None:
    wire = to_snapshot(farm).SerializeToString()
    assert of_snapshot(pb.FarmSnapshot.FromString(wire)) == farm


def test_a_node_that_never_came_up_has_neither_profile_nor_vitals() -> None:
    unknown = NodeSnapshot(
        node_id="pi-03",
        state=NodeState.JOINING,
        reason="waiting for its actor",
        profile=None,
        vitals=None,
        heartbeat_age_s=None,
    )
    assert of_node(to_node(unknown)) == unknown


def test_words_of_another_version_raise_nothing() -> None:
    message = to_snapshot(snapshot(nodes=(node(),), models=(model(),)))
    message.gateway_state = "sleeping"
    message.nodes[0].state = "dreaming"
    message.nodes[0].power.source = "guessed"
    message.models[0].state = "hidden"
    farm = of_snapshot(message)
    assert farm.gateway_state is GatewayState.STARTING
    assert farm.nodes[0].state is NodeState.SUSPECT
    assert farm.nodes[0].power is not None
    assert farm.nodes[0].power.source is EnergySource.ASSUMED
    assert farm.models[0].state is ModelState.UNAVAILABLE
