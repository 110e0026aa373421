"""Which waiting requests go where next: late binding over the whole farm."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import inf

from farm.core.models import ModelKey, ModelSpec
from farm.scheduling.batching import target_rows
from farm.scheduling.limits import SchedulingLimits
from farm.scheduling.nodes import Node
from farm.scheduling.placement import Candidate, PlacementPolicy
from farm.scheduling.queue import Lane, ModelQueue, Ticket


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A batch to form from one lane for one node, and why there."""

    spec: ModelSpec
    lane: Lane
    node: Node
    rows: int
    reason: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing can go anywhere now; `until` is when a look-ahead slot opens, or infinity."""

    until: float


class Planner:
    """Chooses the next batch. Looks at queues and nodes, changes neither."""

    def __init__(self, *, limits: SchedulingLimits, policy: PlacementPolicy) -> None:
        self._limits = limits
        self._policy = policy

    def next(
        self,
        specs: Mapping[ModelKey, ModelSpec],
        queues: Mapping[ModelKey, ModelQueue],
        nodes: Collection[Node],
        now: float,
    ) -> Plan | Wait:
        """Return the next batch: for the most urgent request that some node can take."""
        lanes = [
            (lane, specs[key]) for key, queue in queues.items() if queue for lane in queue.lanes()
        ]
        if len(lanes) > 1:
            lanes.sort(key=lambda item: item[0].head().urgency)
        until = inf
        for lane, spec in lanes:
            plan = self._place(lane, spec, nodes, now)
            if isinstance(plan, Plan):
                return plan
            until = min(until, plan.until)
        return Wait(until)

    def _place(
        self, lane: Lane, spec: ModelSpec, nodes: Collection[Node], now: float
    ) -> Plan | Wait:
        usable = [node for node in nodes if spec.digest in node.ready and node.accepts]
        head = lane.head()
        eligible = [node for node in usable if _may_run(head, node, usable)]
        free = [node for node in eligible if node.has_free_slot]
        until = inf
        if not free:
            for node in eligible:
                opens_at = node.lookahead_at(now, self._limits.lookahead_horizon_s)
                if opens_at is None:
                    continue
                if opens_at <= now:
                    free.append(node)
                until = min(until, opens_at)
        if not free:
            return Wait(until)
        by_id = {node.profile.node_id: node for node in free}
        candidates = [self._candidate(node, lane, spec, now) for node in free]
        chosen, reason = self._policy.choose(candidates)
        return Plan(
            spec=spec, lane=lane, node=by_id[chosen.node_id], rows=chosen.rows, reason=reason
        )

    def _candidate(self, node: Node, lane: Lane, spec: ModelSpec, now: float) -> Candidate:
        head = lane.head().request
        curve = node.ready[spec.digest]
        backlog_s = node.backlog_s(now)
        rows = target_rows(
            curve=curve,
            first=head.rows,
            waiting=lane.rows,
            max_rows=max(spec.max_batch_size, 1),
            overhead_s=self._limits.dispatch_overhead_s,
            time_left_s=inf if head.deadline is None else head.deadline - now - backlog_s,
        )
        compute_s = curve.seconds(rows) if curve is not None else 0.0
        return Candidate(
            node_id=node.profile.node_id,
            rows=rows,
            completion_s=backlog_s + self._limits.dispatch_overhead_s + compute_s,
            last_used=node.last_used,
        )


def _may_run(entry: Ticket, node: Node, usable: Collection[Node]) -> bool:
    """Whether a request may run at a node: not where it failed, unless there is no other."""
    return node.identity not in entry.avoid or all(n.identity in entry.avoid for n in usable)
