"""Which waiting requests go where next: late binding over the whole farm."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

from farm.core.models import ModelKey, ModelSpec
from farm.scheduling.batching import Sizing, target_rows
from farm.scheduling.company import departure
from farm.scheduling.lanes import Lane
from farm.scheduling.limits import SchedulingLimits
from farm.scheduling.nodes import Node
from farm.scheduling.pace import Pace
from farm.scheduling.patience import Choice, Demand, waits_until
from farm.scheduling.placement import Candidate, PlacementPolicy
from farm.scheduling.queue import ModelQueue
from farm.scheduling.roster import Roster
from farm.scheduling.tickets import Ticket


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A batch to form from one lane for one node, why now and why there.

    It is predicted to be done in `completion_s`.
    """

    spec: ModelSpec
    lane: Lane
    node: Node
    rows: int
    completion_s: float
    trigger: str
    reason: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing can go anywhere now; `until` is when time alone changes that, or infinity.

    That is when a look-ahead opens, a batch has waited long enough for company, or a
    request long enough for a quicker node.
    """

    until: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """What waits for a model, in rows, and what arrives, in rows per second."""

    rows: int
    demand: float


class Planner:
    """Chooses the next batch. Looks at queues and nodes, changes neither."""

    def __init__(
        self, *, limits: SchedulingLimits, policy: PlacementPolicy, roster: Roster
    ) -> None:
        self._limits = limits
        self._policy = policy
        self._roster = roster

    def next(
        self,
        specs: Mapping[ModelKey, ModelSpec],
        queues: Mapping[ModelKey, ModelQueue],
        demands: Mapping[ModelKey, Demand],
        now: float,
    ) -> Plan | Wait:
        """Return the next batch: for the most urgent request that some node can take."""
        if not queues:
            return Wait(inf)
        heads = [
            (lane.head(), lane, specs[key])
            for key, queue in queues.items()
            for lane in queue.lanes()
        ]
        if len(heads) > 1:
            heads.sort(key=lambda item: item[1].rank())
        soon = self._roster.soon(now)
        until = min((at for at, node in soon if node.has_lookahead), default=inf)
        # Requests that never failed may all go to the same nodes: one look for each digest.
        openings: dict[str, list[Node]] = {}
        for head, lane, spec in heads:
            nodes = openings.get(spec.digest)
            if nodes is None:
                nodes = openings[spec.digest] = self._open_to(spec, now)
            if head.avoid or spec.max_instances:
                nodes = self._allowed(head, spec, nodes)
            if not nodes:
                continue
            known = demands.get(spec.key)
            demand = known.rows_per_s(now) if known is not None else 0.0
            plan = self._place(lane, spec, nodes, now)
            if isinstance(plan, Plan) and self._policy.patient:
                crowd = Crowd(rows=queues[spec.key].rows, demand=demand)
                later = self._better_later(plan, soon, crowd, now)
                if later > now:
                    plan = Wait(later)
            if isinstance(plan, Plan):
                return plan
            until = min(until, plan.until)
        return Wait(until)

    def _open_to(self, spec: ModelSpec, now: float) -> list[Node]:
        """Return nodes that take a batch of a model now."""
        # The few that stand for their class may be those that a model must not use.
        everyone = self._policy.everyone or bool(spec.max_instances)
        if not self._policy.patient:
            free = self._roster.free(spec.digest, everyone=everyone)
            if free:
                return free
        return self._roster.open(spec.digest, now, everyone=everyone)

    def _allowed(self, head: Ticket, spec: ModelSpec, nodes: list[Node]) -> list[Node]:
        """Return where a request may run: not where it failed, unless there is no other node."""
        barred = head.avoid if head.avoid and self._has_others(head, spec) else frozenset()
        if barred and all(node.identity in barred for node in nodes):
            nodes = self._roster.free(spec.digest, everyone=True)
        return [
            node
            for node in nodes
            if node.identity not in barred
            and (not spec.max_instances or node.running(spec.key) < spec.max_instances)
        ]

    def _has_others(self, head: Ticket, spec: ModelSpec) -> bool:
        return any(
            node.identity not in head.avoid
            for node in self._roster
            if spec.digest in node.ready and node.accepts
        )

    def _place(self, lane: Lane, spec: ModelSpec, nodes: list[Node], now: float) -> Plan | Wait:
        candidates = [self._candidate(node, lane, spec, now) for node in nodes]
        chosen, reason = self._policy.choose(candidates)
        node = nodes[candidates.index(chosen)]
        pace = node.ready[spec.digest]
        trigger = "lookahead"
        if chosen.free:
            leaves = departure(lane, spec, curve=pace.curve, rows=chosen.rows, limits=self._limits)
            if now < leaves.at:
                return Wait(leaves.at)
            trigger = leaves.trigger
        return Plan(
            spec=spec,
            lane=lane,
            node=node,
            rows=chosen.rows,
            completion_s=chosen.completion_s,
            trigger=trigger,
            reason=reason,
        )

    def _better_later(
        self, plan: Plan, soon: list[tuple[float, Node]], crowd: Crowd, now: float
    ) -> float:
        """Return until when a request waits for a quicker node than the plan's; -inf if not."""
        head, digest = plan.lane.head(), plan.spec.digest
        outlook = self._roster.outlook(digest, now)
        if head.avoid or head.alone or outlook is None:
            return -inf
        rows = max(head.request.rows, 1)
        later_s = inf
        for at, node in soon:
            pace = node.ready.get(digest)
            if pace is not None and pace.known:
                later_s = min(
                    later_s, at - now + node.backlog_s(at, pace.threads) + pace.completion_s(rows)
                )
        rate = outlook.rate_below(plan.completion_s)
        if rate <= 0 or later_s >= plan.completion_s:
            return -inf
        return waits_until(
            Choice(
                now_s=plan.completion_s,
                later_s=later_s,
                rate=rate,
                waiting=crowd.rows,
                demand=crowd.demand,
            ),
            arrived_at=head.request.arrived_at,
            deadline=head.request.deadline,
            now=now,
        )

    def _candidate(self, node: Node, lane: Lane, spec: ModelSpec, now: float) -> Candidate:
        head = lane.head().request
        pace = node.ready[spec.digest]
        free = node.has_room(pace.threads)
        backlog_s = 0.0 if free else node.backlog_s(now, pace.threads)
        time_left_s = inf if head.deadline is None else head.deadline - now - backlog_s
        rows = self._rows(pace, lane, spec, time_left_s)
        run_s = pace.completion_s(rows)
        return Candidate(
            node_id=node.node_id,
            rows=rows,
            completion_s=backlog_s + run_s,
            last_used=node.last_used,
            backlog_s=backlog_s,
            free=free,
            joules=node.joules_per_row.get(spec.digest),
            in_time=run_s <= time_left_s,
        )

    def _rows(self, pace: Pace, lane: Lane, spec: ModelSpec, time_left_s: float) -> int:
        """Return the size of a batch on a node of this pace.

        Sizes are judged by what a batch costs the gateway: the network is hidden by the
        look-ahead, and takes a large batch longer anyway.
        """
        first, waiting = lane.head().request.rows, lane.rows
        batching, overhead_s = spec.batching, self._limits.dispatch_overhead_s
        if waiting <= first and not batching.preferred_batch_sizes:
            return max(first, 1)
        sizing = Sizing(
            first=first,
            waiting=min(waiting, max(spec.max_batch_size, first)),
            max_rows=max(spec.max_batch_size, 1),
            overhead_s=overhead_s,
            preferred=batching.preferred_batch_sizes,
        )
        best = pace.best_rows(sizing)
        if pace.completion_s(best) <= time_left_s:
            return best
        return target_rows(
            sizing, curve=pace.curve, time_left_s=time_left_s - (pace.overhead_s - overhead_s)
        )
