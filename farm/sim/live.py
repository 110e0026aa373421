"""A simulation as its operator would see it: snapshots of a farm in virtual time."""

from collections import Counter, defaultdict
from dataclasses import replace
from math import ceil, nan

from farm.core.energy import Power
from farm.core.errors import ErrorCode
from farm.core.models import ModelKey, ModelSpec, ModelState
from farm.core.nodes import NodeState, NodeVitals
from farm.core.requests import LedgerEntry, Receipt
from farm.core.snapshots import (
    EnergyTotals,
    FarmSnapshot,
    GatewayState,
    ModelSnapshot,
    NodeSnapshot,
    NodeWork,
)
from farm.energy.boards import boards
from farm.engine.statistics import VersionStatistics
from farm.scheduling.machine import Machine
from farm.sim.nodes import SimulatedNode
from farm.sim.schedulers import make_scheduler
from farm.sim.setup import Setup
from farm.sim.simulation import Simulation

_NS = 1_000_000_000


class LiveFarm:
    """Runs a setup under a scheduler of a name; virtual time is 0 at `began_unix_ns`.

    Joules and watts are modelled, as the setup's boards are; joules of a board without a power
    model are no number. What no simulated node has, such as a temperature, is not known; neither
    is what only the farm's own machine tells, such as its queues, where a baseline is in charge.
    """

    def __init__(self, setup: Setup, scheduler: str, *, name: str, began_unix_ns: int) -> None:
        self._setup = setup
        self._name = name
        self._began_unix_ns = began_unix_ns
        made = make_scheduler(scheduler, limits=setup.limits, seed=setup.seed)
        self._machine = made if isinstance(made, Machine) else None
        self._versions: defaultdict[ModelKey, VersionStatistics] = defaultdict(VersionStatistics)
        self._answers: Counter[str] = Counter()
        self._failures: Counter[str] = Counter()
        self._now = 0.0
        self._simulation = Simulation(setup, made, observer=self)
        self._simulation.begin()

    @property
    def now(self) -> float:
        """How far it is, in virtual seconds."""
        return self._now

    def advance(self, until: float) -> bool:
        """Let all happen up to a moment; return whether there is more to come.

        Raises:
            InternalError: the scheduler broke a promise.
        """
        self._now = until
        return self._simulation.advance(until)

    def snapshot(self) -> FarmSnapshot:
        """Return the farm as it is now."""
        nodes = self._simulation.nodes.values()
        models = tuple(self._model(spec) for spec in sorted(self._setup.specs, key=lambda s: s.key))
        drawn = [node.drawn_j(self._now) or 0.0 for node in nodes]
        return FarmSnapshot(
            taken_unix_ns=self._began_unix_ns + round(self._now * _NS),
            farm_name=self._name,
            gateway_state=GatewayState.SERVING,
            nodes=tuple(map(self._node, nodes)),
            models=models,
            queued_requests=sum(model.queued_requests for model in models),
            inflight_batches=sum(len(node.calls) for node in nodes),
            energy=EnergyTotals(modelled_j=sum(drawn)),
            gateway_began_unix_ns=self._began_unix_ns,
        )

    # -- what the simulation tells ----------------------------------------------------

    def request_finished(
        self, model: ModelKey, code: ErrorCode | None, latency_s: float, receipt: Receipt | None
    ) -> None:
        version = self._versions[model]
        if receipt is None:
            version.refused(latency_s=latency_s)
            return
        rows = round(receipt.share * receipt.batch_rows)
        version.answered(rows=rows, latency_s=latency_s, receipt=receipt)
        self._answers[receipt.node_id] += 1

    def batch_settled(self, entry: LedgerEntry) -> None:
        self._versions[entry.model].settled(entry, unix_ns=self._began_unix_ns)
        if entry.timing is None and entry.outcome != ErrorCode.NODE_BUSY:
            self._failures[entry.node_id] += 1

    # -- parts of a snapshot ----------------------------------------------------------

    def _node(self, node: SimulatedNode) -> NodeSnapshot:
        plan = node.plan
        work = NodeWork(
            answers_total=self._answers[plan.node_id],
            batches_total=node.batches,
            rows_total=node.rows,
            failures_total=self._failures[plan.node_id],
            compute_s=node.compute_s,
            joules=nan if (joules := node.drawn_j(self._now)) is None else joules,
        )
        busy = node.busy_threads / plan.cores
        return NodeSnapshot(
            node_id=plan.node_id,
            state=self._state(node),
            reason="" if node.up else "its process is gone",
            profile=replace(node.profile(), host=plan.node_id),
            vitals=NodeVitals(
                incarnation=node.incarnation,
                slots_busy=min(ceil(node.busy_threads / plan.threads_per_slot), plan.slots),
                cpu_fraction=min(busy, 1.0),
                memory_total_bytes=0,
                memory_available_bytes=0,
                temperature_c=None,
                clock_hz=None,
                batches_total=node.batches,
                rows_total=node.rows,
                failures_total=work.failures_total,
                digests=tuple(plan.curves),
                speed=node.speed,
            ),
            heartbeat_age_s=self._now - node.heard_at,
            inflight_batches=len(node.calls),
            power=_power(node, busy) if node.up else None,
            work=work,
        )

    def _state(self, node: SimulatedNode) -> NodeState:
        if not node.up:
            return NodeState.JOINING if self._now < node.plan.joins_at else NodeState.LOST
        standing = self._machine.standing(node.plan.node_id) if self._machine else None
        return standing or NodeState.READY

    def _model(self, spec: ModelSpec) -> ModelSnapshot:
        done = self._versions[spec.key]
        ready = tuple(
            node_id
            for node_id, node in self._simulation.nodes.items()
            if node.up and spec.digest in node.plan.curves
        )
        return ModelSnapshot(
            key=spec.key,
            state=ModelState.READY if ready else ModelState.UNAVAILABLE,
            reason="" if ready else "no node is up that has it",
            digest=spec.digest,
            max_batch_size=spec.max_batch_size,
            batching_reason=spec.batching_reason,
            ready_nodes=ready,
            queued_requests=self._machine.queued(spec.key) if self._machine else 0,
            requests_total=done.success.count + done.fail.count,
            failures_total=done.fail.count,
            rows_total=done.inferences,
            batches_total=done.executions,
            latency_s=done.success.ns / _NS,
            latencies=tuple(done.latencies),
        )


def _power(node: SimulatedNode, busy: float) -> Power | None:
    """Return what a board draws with a share of its cores busy; None without a power model."""
    board = boards().get(node.plan.board)
    if board is None or node.plan.idle_w is None:
        return None
    watts = board.power.watts(utilisation=busy, speed=node.speed)
    return Power(watts=watts, source=board.power.source)
