"""The five ways in which a farm can look on the overview."""

import math
from collections.abc import Mapping
from dataclasses import replace

from farm_readings import model, node, snapshot
from still_top import DEFAULTS, StillTop

from farm.core.energy import EnergySource
from farm.core.nodes import NodeState
from farm.core.snapshots import AnswerPrices, FarmSnapshot, NodeSnapshot, NodeWork
from tui.options import TopOptions
from tui.sources.source import LinkChanged, LinkState, SnapshotCame, Update

UP = LinkChanged(state=LinkState.UP)
DOWN = LinkChanged(state=LinkState.DOWN, detail="pi-head:8001 does not answer; next try in 2.0 s")
# Enough for rates, and for trends that fill a column.
_SNAPSHOTS = 20
_STALE_S = 12.0


def farm(
    at_s: int, nodes: int = 4, changed: Mapping[str, NodeSnapshot] | None = None
) -> FarmSnapshot:
    """A farm at work after so many seconds, some of its nodes otherwise than they were."""
    known = (_node(number, at_s) for number in range(1, nodes + 1))
    prices = AnswerPrices(
        answers=100 * at_s, cost=0.002 * at_s, currency="EUR",
        baseline="aws-lambda-arm64", baseline_cost=0.011 * at_s, baseline_currency="USD",
    )  # fmt: skip
    return snapshot(
        at_s,
        nodes=tuple((changed or {}).get(each.node_id, each) for each in known),
        models=(model(latencies={3: 90 * at_s, 7: 10 * at_s}, queued=3),),
        prices=prices,
    )


def _node(number: int, at_s: int) -> NodeSnapshot:
    """A node whose load goes up and down, each in a time of its own."""
    load = 0.5 + 0.5 * math.sin(number + at_s / 3)
    return node(
        f"pi-{number:02}",
        cpu_fraction=load,
        temperature_c=45 + 25 * load,
        watts=3 + 6 * load,
        source=EnergySource.MEASURED if number % 2 else EnergySource.MODELLED,
        slots_busy=number % 5,
        work=NodeWork(
            answers_total=25 * at_s, batches_total=5 * at_s, rows_total=30 * at_s,
            compute_s=0.04 * at_s, joules=2.5 * at_s,
        ),
    )  # fmt: skip


def _told(nodes: int = 4, changed: Mapping[str, NodeSnapshot] | None = None) -> list[Update]:
    told = [SnapshotCame(snapshot=farm(at_s, nodes)) for at_s in range(_SNAPSHOTS)]
    return [UP, *told, SnapshotCame(snapshot=farm(_SNAPSHOTS, nodes, changed))]


def _lost() -> NodeSnapshot:
    last = _node(3, _SNAPSHOTS - 1)
    return replace(
        last,
        state=NodeState.LOST,
        reason="silent for 10 s",
        heartbeat_age_s=95.0,
        work=replace(last.work, failures_total=2),
    )


FARMS: Mapping[str, list[Update]] = {
    "no_data": [],
    "stale": [*_told(), DOWN],
    "one_node_down": _told(changed={"pi-03": _lost()}),
    "throttled": _told(
        changed={
            "pi-02": node("pi-02", cpu_fraction=0.9, temperature_c=84.0, throttle_flags=0x50005)
        }
    ),
    "200_nodes": _told(200),
}


def overview(name: str, options: TopOptions = DEFAULTS) -> StillTop:
    """Return the screen before one of `FARMS`."""
    app = StillTop(*FARMS[name], options=options)
    if name == "stale":
        app.at_s += _STALE_S
    return app
