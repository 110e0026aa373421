"""A farm as its operator reads it: the latest snapshot, its rates, its trends."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from farm.core.energy import Band, Power, weakest
from farm.core.nodes import NodeState
from farm.core.snapshots import FarmSnapshot, ModelSnapshot, NodeSnapshot
from tui.readings.rates import FarmRates, ModelRates, NodeRates, RateMeter
from tui.readings.trends import FarmTrends, Trends


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeReading:
    """A node, what it did lately, and its trends, which go on from reading to reading."""

    node: NodeSnapshot
    rates: NodeRates
    trends: Trends


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelReading:
    """A version of a model, and what it did lately."""

    model: ModelSnapshot
    rates: ModelRates


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A whole farm. `power` is what all its hosts draw that are known, None where none is.

    `states` counts the nodes in each state there is one in; those that are ready can serve.
    """

    snapshot: FarmSnapshot
    rates: FarmRates
    trends: FarmTrends
    nodes: Mapping[str, NodeReading]
    models: tuple[ModelReading, ...]
    power: Power | None
    states: Mapping[NodeState, int]


class Reader:
    """Makes readings of snapshots, as they come."""

    def __init__(self) -> None:
        self._meter = RateMeter()
        self._trends: dict[str, Trends] = {}
        self._farm_trends = FarmTrends()

    def read(self, snapshot: FarmSnapshot) -> Reading:
        """Return the farm as it is with a snapshot."""
        rates = self._meter.take(snapshot)
        self._trends = {
            node.node_id: self._trends.get(node.node_id) or Trends() for node in snapshot.nodes
        }
        nodes = {}
        for node in snapshot.nodes:
            lately, trends = rates.nodes[node.node_id], self._trends[node.node_id]
            trends.take(snapshot.taken_unix_ns, node, lately)
            nodes[node.node_id] = NodeReading(node=node, rates=lately, trends=trends)
        self._farm_trends.take(snapshot, rates.farm)
        return Reading(
            snapshot=snapshot,
            rates=rates.farm,
            trends=self._farm_trends,
            nodes=nodes,
            models=tuple(
                ModelReading(model=model, rates=rates.models[model.key])
                for model in snapshot.models
            ),
            power=_power(snapshot),
            states=Counter(node.node.state for node in nodes.values()),
        )


def _power(snapshot: FarmSnapshot) -> Power | None:
    """Return what all hosts draw together; nodes on one host tell the same watts.

    A node that does not say which host it is on counts as one of its own.
    """
    hosts = {
        (node.profile.host if node.profile else "") or node.node_id: node.power
        for node in snapshot.nodes
        if node.power is not None and node.state is not NodeState.LOST
    }
    if not hosts:
        return None
    watts = sum((power.watts for power in hosts.values()), Band.exactly(0.0))
    return Power(watts=watts, source=weakest(power.source for power in hosts.values()))
