"""Builds what an operator sees from what the parts know."""

from collections.abc import Mapping

from farm.core.clock import Clock
from farm.core.models import ModelKey, ModelState
from farm.core.nodes import NodeState
from farm.core.snapshots import FarmSnapshot, ModelSnapshot, NodeSnapshot
from farm.core.statistics import VersionCounts
from farm.engine.accounting import Accounting
from farm.engine.catalog import Catalog, Model, Version
from farm.engine.dataplane import DataPlane
from farm.engine.engine import Engine
from farm.engine.fleet import Fleet
from farm.engine.members import Member

_REASONS: Mapping[NodeState, str] = {
    NodeState.SUSPECT: "it is silent, or a batch takes it far longer than it should",
    NodeState.EJECTED: "several batches in a row failed on it; it is tried before it returns",
    NodeState.CORDONED: "an operator took it out of service",
}
# Instead, of a node that gets no batches for a while.
_RESTARTING = "an operator restarts it"
_CALIBRATING = "its host is being calibrated"
# What else there is to know of a node that is suspect or ejected while most of them are.
_PARDONED = "; it gets batches all the same, because most nodes are out"


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
        accounting: Accounting,
        clock: Clock,
    ) -> None:
        self.farm_name = farm_name
        self._engine = engine
        self._fleet = fleet
        self._catalog = catalog
        self._dataplane = dataplane
        self._accounting = accounting
        self._clock = clock
        self._began_unix_ns = clock.unix_ns()

    def take(self) -> FarmSnapshot:
        """Return the farm as it is now."""
        models = [self.model(version) for version in self._catalog.versions()]
        models += [_idle(model) for model in self._catalog.models() if not model.versions]
        return FarmSnapshot(
            taken_unix_ns=self._clock.unix_ns(),
            farm_name=self.farm_name,
            gateway_state=self._dataplane.state,
            nodes=tuple(self._node(member) for member in self._fleet.members.values()),
            models=tuple(sorted(models, key=lambda model: model.key)),
            queued_requests=sum(model.queued_requests for model in models),
            inflight_batches=self._engine.machine.inflight,
            energy=self._accounting.totals(),
            prices=self._dataplane.prices(),
            gateway_began_unix_ns=self._began_unix_ns,
        )

    def counts(self) -> tuple[VersionCounts, ...]:
        """Return what every loaded version has done until now."""
        loaded = sorted(v.key for v in self._catalog.versions() if v.spec is not None)
        return tuple(
            self._engine.statistics(key).counts(key, pending=self._engine.machine.queued(key))
            for key in loaded
        )

    def node(self, node_id: str) -> NodeSnapshot:
        """Return one of the farm's nodes as it is now."""
        return self._node(self._fleet.members[node_id])

    def _node(self, member: Member) -> NodeSnapshot:
        state, reason = self._standing(member)
        # Of a process that has gone as it was told to, what was last heard is not so any more.
        replaced = member.restarting and member.state is NodeState.LOST
        vitals = None if replaced else member.vitals
        return NodeSnapshot(
            node_id=member.node_id,
            state=state,
            reason=reason,
            profile=member.profile,
            vitals=vitals,
            heartbeat_age_s=(
                None if member.heard_at is None else self._clock.monotonic() - member.heard_at
            ),
            cordoned=member.cordoned,
            inflight_batches=self._engine.machine.inflight_at(member.node_id),
            power=None if replaced else self._accounting.power(member.node_id),
            work=self._engine.work(member.node_id),
            meter_fault=(
                "" if vitals is None else self._accounting.meter_fault(member.node_id, vitals)
            ),
        )

    def _standing(self, member: Member) -> tuple[NodeState, str]:
        """Return a node's state, and why it is in it."""
        machine = self._engine.machine
        state = member.state
        if state is NodeState.READY:
            # The machine hears of a node that has just joined at the end of this turn.
            state = machine.standing(member.node_id) or state
        if member.restarting and state is NodeState.LOST:
            return NodeState.JOINING, _RESTARTING
        if state is NodeState.CORDONED and member.restarting:
            return state, _RESTARTING
        if state is NodeState.CORDONED and member.calibrating:
            return state, _CALIBRATING
        reason = _REASONS.get(state, member.reason)
        if machine.panicking and state in {NodeState.SUSPECT, NodeState.EJECTED}:
            reason += _PARDONED
        return state, reason

    def model(self, version: Version) -> ModelSnapshot:
        """Return one version as it is now."""
        nodes = self._fleet.ready_nodes(version.digest) if version.spec is not None else ()
        refusal = self._fleet.refusal(version.artifact) if version.artifact is not None else ""
        done = self._engine.statistics(version.key)
        return ModelSnapshot(
            key=version.key,
            state=self._catalog.state(version, served=bool(nodes), refused=bool(refusal)),
            reason=self._reason(version, "" if nodes else refusal),
            digest=version.digest,
            max_batch_size=version.spec.max_batch_size if version.spec else 0,
            batching_reason=version.spec.batching_reason if version.spec else "",
            ready_nodes=nodes,
            queued_requests=self._engine.machine.queued(version.key),
            requests_total=done.success.count + done.fail.count,
            failures_total=done.fail.count,
            rows_total=done.inferences,
            batches_total=done.executions,
            latency_s=done.success.ns / 1e9,
            latencies=tuple(done.latencies) if done.success.count else (),
        )

    def _reason(self, version: Version, refusal: str) -> str:
        """Say what is to be known of a version: why it is refused, or what its model is at."""
        model = self._catalog.model(version.key.name)
        parts = [version.refusal or refusal]
        if model is not None and version.available is not None:
            parts += [model.progress and f"a load is under way: {model.progress}", model.complaint]
        return "; ".join(part for part in parts if part)


def _idle(model: Model) -> ModelSnapshot:
    """Return a model of which no version is wanted, or none can be served."""
    return ModelSnapshot(
        key=ModelKey(model.name, 0),
        state=ModelState.LOADING if model.progress else ModelState.UNAVAILABLE,
        reason=model.progress or model.refusal,
        digest="",
        max_batch_size=0,
        batching_reason="",
        ready_nodes=(),
        queued_requests=0,
        requests_total=0,
        failures_total=0,
    )
