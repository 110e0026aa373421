"""Builds what an operator sees from what the parts know."""

from farm.core.clock import Clock
from farm.core.models import ModelKey, ModelState
from farm.core.nodes import NodeState
from farm.core.snapshots import FarmSnapshot, ModelSnapshot, NodeSnapshot
from farm.engine.catalog import Catalog, Version
from farm.engine.dataplane import DataPlane
from farm.engine.engine import Engine, Tally
from farm.engine.fleet import Fleet, Member


class Snapshots:
    """Takes snapshots of one gateway."""

    def __init__(
        self,
        *,
        farm_name: str,
        engine: Engine,
        fleet: Fleet,
        catalog: Catalog,
        dataplane: DataPlane,
        clock: Clock,
    ) -> None:
        self.farm_name = farm_name
        self._engine = engine
        self._fleet = fleet
        self._catalog = catalog
        self._dataplane = dataplane
        self._clock = clock

    def take(self) -> FarmSnapshot:
        """Return the farm as it is now."""
        models = [self._model(version) for version in self._catalog.versions()]
        models += [
            _refused(name, reason) for name, reason in self._catalog.refused_models().items()
        ]
        return FarmSnapshot(
            taken_unix_ns=self._clock.unix_ns(),
            farm_name=self.farm_name,
            gateway_state=self._dataplane.state,
            nodes=tuple(self._node(member) for member in self._fleet.members.values()),
            models=tuple(sorted(models, key=lambda model: model.key)),
            queued_requests=sum(model.queued_requests for model in models),
            inflight_batches=self._engine.machine.inflight,
        )

    def _node(self, member: Member) -> NodeSnapshot:
        ejected = member.state is NodeState.READY and self._engine.machine.ejected(member.node_id)
        return NodeSnapshot(
            node_id=member.node_id,
            state=NodeState.EJECTED if ejected else member.state,
            reason="several batches in a row failed on it" if ejected else member.reason,
            profile=member.profile,
            vitals=member.vitals,
            heartbeat_age_s=(
                None if member.heard_at is None else self._clock.monotonic() - member.heard_at
            ),
        )

    def _model(self, version: Version) -> ModelSnapshot:
        nodes = self._fleet.ready_nodes(version.digest)
        tally = self._engine.tallies.get(version.key, Tally())
        return ModelSnapshot(
            key=version.key,
            state=self._catalog.state(version, served=bool(nodes)),
            reason=version.refusal,
            digest=version.digest,
            max_batch_size=version.spec.max_batch_size if version.spec else 0,
            batching_reason=version.spec.batching_reason if version.spec else "",
            ready_nodes=nodes,
            queued_requests=self._engine.machine.queued(version.key),
            requests_total=tally.answered + tally.failed,
            failures_total=tally.failed,
        )


def _refused(name: str, reason: str) -> ModelSnapshot:
    return ModelSnapshot(
        key=ModelKey(name, 0),
        state=ModelState.UNAVAILABLE,
        reason=reason,
        digest="",
        max_batch_size=0,
        batching_reason="",
        ready_nodes=(),
        queued_requests=0,
        requests_total=0,
        failures_total=0,
    )
