"""A node in depth, as its operator wants to see it when something is wrong there."""

from dataclasses import dataclass

from farm.core.clock import Clock
from farm.core.models import ModelKey
from farm.core.node_details import BatchInFlight, NodeFailure
from farm.core.snapshots import NodeSnapshot
from farm.engine.descriptions import Descriptions, NodeReadiness
from farm.engine.engine import Engine
from farm.engine.fleet import Fleet
from farm.engine.snapshots import Snapshots


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeDescription:
    """A node now: batches the oldest first, every version, failures the newest first."""

    node: NodeSnapshot
    batches: tuple[BatchInFlight, ...]
    models: tuple[tuple[ModelKey, NodeReadiness], ...]
    failures: tuple[NodeFailure, ...]


class NodeDescriptions:
    """Describes what one gateway knows of its nodes."""

    def __init__(
        self,
        *,
        engine: Engine,
        fleet: Fleet,
        descriptions: Descriptions,
        snapshots: Snapshots,
        clock: Clock,
    ) -> None:
        self._engine = engine
        self._fleet = fleet
        self._descriptions = descriptions
        self._snapshots = snapshots
        self._clock = clock

    def describe(self, node_id: str) -> NodeDescription:
        """Describe a node.

        Raises:
            InvalidRequestError: the farm has no such node.
        """
        member = self._fleet.member(node_id)
        now = self._clock.monotonic()
        return NodeDescription(
            node=self._snapshots.node(node_id),
            batches=tuple(
                BatchInFlight(
                    batch_id=flight.batch.id,
                    model=flight.batch.model,
                    rows=flight.batch.rows,
                    requests=len(flight.batch.members),
                    age_s=now - flight.dispatched_at,
                    running=flight.started_at is not None,
                )
                for flight in self._engine.machine.flights_at(node_id)
            ),
            models=self._descriptions.on_node(member),
            failures=self._engine.failures(node_id),
        )
