"""Which waiting requests go where next: late binding over the whole farm."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import inf

from farm.core.models import ModelKey, ModelSpec
from farm.scheduling.batching import target_rows
from farm.scheduling.company import departure
from farm.scheduling.limits import SchedulingLimits
from farm.scheduling.nodes import Node
from farm.scheduling.placement import Candidate, PlacementPolicy
from farm.scheduling.queue import Identity, Lane, ModelQueue, Ticket


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A batch to form from one lane for one node, why now and why there."""

    spec: ModelSpec
    lane: Lane
    node: Node
    rows: int
    trigger: str
    reason: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing can go anywhere now; `until` is when time alone changes that, or infinity.

    That is when a look-ahead slot opens, or a batch has waited long enough for company.
    """

    until: float


@dataclass(frozen=True, slots=True)
class _Opening:
    """The nodes that take a batch now; if there are none, `until` is when one will."""

    nodes: list[Node]
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
        # Nodes with room, each with the time from which it takes one more batch.
        rooms = [(node, at) for node in nodes if (at := self._room_at(node, now)) is not None]
        if not rooms or not queues:
            return Wait(inf)
        heads = [
            (lane.head(), lane, specs[key])
            for key, queue in queues.items()
            for lane in queue.lanes()
        ]
        if len(heads) > 1:
            heads.sort(key=lambda item: item[0].urgency)
        until = inf
        # Requests that never failed may all go to the same nodes: one look for each model.
        openings: dict[ModelKey, _Opening] = {}
        for head, lane, spec in heads:
            opening = None if head.avoid else openings.get(spec.key)
            if opening is None:
                barred = _barred(head, spec, nodes) if head.avoid else frozenset()
                opening = _opening(spec, rooms, barred, now)
                if not head.avoid:
                    openings[spec.key] = opening
            if not opening.nodes:
                until = min(until, opening.until)
                continue
            plan = self._place(lane, spec, opening.nodes, now)
            if isinstance(plan, Plan):
                return plan
            until = min(until, plan.until)
        return Wait(until)

    def _room_at(self, node: Node, now: float) -> float | None:
        if not node.accepts:
            return None
        if node.has_free_slot:
            return now
        return node.lookahead_at(now, self._limits.lookahead_horizon_s)

    def _place(self, lane: Lane, spec: ModelSpec, nodes: list[Node], now: float) -> Plan | Wait:
        by_id = {node.profile.node_id: node for node in nodes}
        candidates = [self._candidate(node, lane, spec, now) for node in nodes]
        chosen, reason = self._policy.choose(candidates)
        node = by_id[chosen.node_id]
        trigger = "lookahead"
        if node.has_free_slot:
            leaves = departure(
                lane, spec, curve=node.ready[spec.digest], rows=chosen.rows, limits=self._limits
            )
            if now < leaves.at:
                return Wait(leaves.at)
            trigger = leaves.trigger
        return Plan(
            spec=spec, lane=lane, node=node, rows=chosen.rows, trigger=trigger, reason=reason
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
            preferred=spec.batching.preferred_batch_sizes,
        )
        compute_s = curve.seconds(rows) if curve is not None else 0.0
        return Candidate(
            node_id=node.profile.node_id,
            rows=rows,
            completion_s=backlog_s + self._limits.dispatch_overhead_s + compute_s,
            last_used=node.last_used,
        )


def _barred(head: Ticket, spec: ModelSpec, nodes: Collection[Node]) -> frozenset[Identity]:
    """Where a request must not run: not where it failed, unless there is no other node."""
    usable = (node for node in nodes if spec.digest in node.ready and node.accepts)
    others = any(node.identity not in head.avoid for node in usable)
    return head.avoid if others else frozenset()


def _opening(
    spec: ModelSpec, rooms: list[tuple[Node, float]], barred: frozenset[Identity], now: float
) -> _Opening:
    """Return the nodes with a free slot or, only if there are none, with a look-ahead one."""
    able = [
        (node, at)
        for node, at in rooms
        if spec.digest in node.ready
        and _may_add(spec, node)
        and (not barred or node.identity not in barred)
    ]
    free = [node for node, _ in able if node.has_free_slot]
    if free:
        return _Opening(free, now)
    return _Opening([n for n, at in able if at <= now], min((at for _, at in able), default=inf))


def _may_add(spec: ModelSpec, node: Node) -> bool:
    return not spec.max_instances or node.running(spec.key) < spec.max_instances
