"""Which waiting requests go where next: late binding over the whole farm."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

from farm.core.models import ModelKey, ModelSpec
from farm.core.requests import InferenceRequest
from farm.scheduling.batching import Sizing, target_rows
from farm.scheduling.company import departure
from farm.scheduling.lanes import Lane
from farm.scheduling.lateness import Hopeless, share
from farm.scheduling.limits import SchedulingLimits
from farm.scheduling.nodes import Node
from farm.scheduling.patience import Choice, Demand, Hold, hold
from farm.scheduling.placement import Candidate, PlacementPolicy
from farm.scheduling.queue import ModelQueue
from farm.scheduling.reservations import Reservations
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


class Planner:
    """Chooses the next batch. Looks at queues and nodes, changes neither."""

    def __init__(
        self, *, limits: SchedulingLimits, policy: PlacementPolicy, roster: Roster
    ) -> None:
        self._limits = limits
        self._policy = policy
        self._roster = roster
        self._reservations = Reservations(roster)
        # Heads that wait for a quicker node, while nothing changes at any node.
        self._held: dict[int, Hold] = {}
        self._held_at = -1

    def next(
        self,
        specs: Mapping[ModelKey, ModelSpec],
        queues: Mapping[ModelKey, ModelQueue],
        demands: Mapping[ModelKey, Demand],
        now: float,
    ) -> Plan | Hopeless | Wait:
        """Return the next batch: for the most urgent request that some node can take.

        Or a request that none can answer in time: nothing goes before it is put out.
        """
        self._reservations.review(specs, queues)
        if not queues:
            return Wait(inf)
        soon = self._roster.soon(now)
        until = min((at for at, node in soon if node.has_lookahead), default=inf)
        if self._roster.version != self._held_at:
            self._held, self._held_at = {}, self._roster.version
        # One look for each digest, before any at what waits: most often no node is open.
        openings = {
            digest: nodes
            for digest in dict.fromkeys(specs[key].digest for key in queues)
            if (nodes := self._open_to(digest, now)) or self._roster.cramped(digest)
        }
        heads = [
            (lane.head(), lane, specs[key])
            for key, queue in queues.items()
            if specs[key].digest in openings
            for lane in queue.lanes()
        ]
        if len(heads) > 1:
            heads.sort(key=lambda item: item[1].rank())
        for head, lane, spec in heads:
            rows = queues[spec.key].rows
            held = self._held.get(head.request.id)
            if held is not None and now < held.until and rows < held.crowd:
                until = min(until, held.until)
                continue
            nodes = openings[spec.digest]
            if _is_choosy(head, spec):
                nodes = self._open_to_choosy(head, spec, now)
            if not nodes:
                if self._reserve(head, spec, now):
                    # What is open to the others is another matter now.
                    return self.next(specs, queues, demands, now)
                continue
            plan = self._place(lane, spec, nodes, soon, now)
            if isinstance(plan, Hopeless):
                return plan
            if isinstance(plan, Plan):
                known = demands.get(spec.key)
                demand = known.rows_per_s(now) if known is not None else 0.0
                held = self._better_later(plan, soon, rows, demand, now)
                if held is None:
                    return plan
                self._held[head.request.id] = held
                plan = Wait(held.until)
            if self._reservations.is_for(head, spec.digest):
                # It could go and rather waits: nobody else has to.
                self._reservations.end(spec.digest)
                return self.next(specs, queues, demands, now)
            until = min(until, plan.until)
        return Wait(until)

    def _open_to(self, digest: str, now: float) -> list[Node]:
        """Return nodes that take a batch of a digest now."""
        if not self._policy.patient:
            free = self._roster.free(digest, everyone=self._policy.everyone)
            if free:
                return free
        return self._roster.open(digest, now, everyone=self._policy.everyone)

    def _open_to_choosy(self, head: Ticket, spec: ModelSpec, now: float) -> list[Node]:
        """Return nodes that take a batch now of a request that may not run on all of them."""
        digest = spec.digest
        # The few that stand for their class may be just those that it must not use.
        nodes = self._allowed(head, spec, self._roster.open(digest, now, everyone=True))
        if self._policy.patient:
            return nodes
        free = [node for node in nodes if node.has_room(node.ready[digest].threads)]
        return free or nodes

    def _reserve(self, head: Ticket, spec: ModelSpec, now: float) -> bool:
        """Reserve a node for a request that no node has the threads for; return if one was."""
        known = self._reservations.get(spec.digest)
        if known is not None:
            if known.entry is not head or self._allowed(head, spec, [known.node]):
                return False
            self._reservations.end(spec.digest)
        choosy = _is_choosy(head, spec)
        nodes = self._roster.cramped(spec.digest, everyone=choosy)
        if choosy:
            nodes = self._allowed(head, spec, nodes)
        made = self._reservations.make(head, spec.digest, nodes, now)
        return made or known is not None

    def _allowed(self, head: Ticket, spec: ModelSpec, nodes: list[Node]) -> list[Node]:
        """Return where a request may run: not where it failed, unless there is no other node."""
        barred = head.avoid if head.avoid and self._has_others(head, spec) else frozenset()
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

    def _place(
        self,
        lane: Lane,
        spec: ModelSpec,
        nodes: list[Node],
        soon: list[tuple[float, Node]],
        now: float,
    ) -> Plan | Hopeless | Wait:
        entry = lane.head()
        head, crowded = entry.request, lane.crowded
        left_s = inf if head.deadline is None else head.deadline - now
        sizing = self._sizing(lane, spec, head.rows)
        usable_s = left_s * share(crowded=crowded)
        candidates = [
            self._candidate(node, head, sizing, spec.digest, usable_s, now) for node in nodes
        ]
        timely = [candidate for candidate in candidates if candidate.in_time]
        if not timely:
            late = self._late(entry, spec, nodes, soon, crowded=crowded, now=now)
            if late is not None:
                return late
        chosen, reason = self._policy.choose(timely or candidates)
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

    def _late(
        self,
        entry: Ticket,
        spec: ModelSpec,
        nodes: list[Node],
        soon: list[tuple[float, Node]],
        *,
        crowded: bool,
        now: float,
    ) -> Hopeless | Wait | None:
        """Return what becomes of a request that no open node is likely to answer in time.

        It waits for one that is, if there is one: on any other its work would be for nobody.
        Else it makes room for those behind it; without any, None: it is tried all the same.
        """
        head = entry.request
        outlook = self._roster.outlook(spec.digest, now)
        if head.deadline is None or outlook is None or not outlook.complete:
            return None
        if entry.alone or _is_choosy(entry, spec):
            return None
        left_s, part = head.deadline - now, share(crowded=crowded)
        soonest_s = inf
        for node in (*nodes, *(node for _, node in soon)):
            pace = node.ready.get(spec.digest)
            if pace is None:
                continue
            takes_s = pace.completion_s(max(head.rows, 1))
            # A batch that should have ended may end at any moment.
            backlog_s = 0.0 if node.is_late(now) else node.backlog_s(now, pace.threads)
            latest = head.deadline - takes_s / part
            if backlog_s + takes_s <= left_s * part and now < latest:
                return Wait(latest)
            soonest_s = min(soonest_s, backlog_s + takes_s)
        return Hopeless(entry, left_s, soonest_s) if crowded else None

    def _better_later(
        self, plan: Plan, soon: list[tuple[float, Node]], waiting: int, demand: float, now: float
    ) -> Hold | None:
        """Return how long a request waits for a quicker node than the plan's; None if not."""
        head, digest = plan.lane.head(), plan.spec.digest
        if not self._policy.patient or head.avoid or head.alone:
            return None
        outlook = self._roster.outlook(digest, now)
        rate = outlook.rate_below(plan.completion_s) if outlook is not None else 0.0
        if rate <= 0:
            return None
        rows = max(head.request.rows, 1)
        later_s = inf
        for at, node in soon:
            pace = node.ready.get(digest)
            if pace is not None and pace.known:
                starts_s = at - now + node.backlog_s(at, pace.threads)
                later_s = min(later_s, starts_s + pace.completion_s(rows))
        choice = Choice(
            now_s=plan.completion_s, later_s=later_s, rate=rate, waiting=waiting, demand=demand
        )
        request = head.request
        return hold(choice, arrived_at=request.arrived_at, deadline=request.deadline, now=now)

    def _sizing(self, lane: Lane, spec: ModelSpec, first: int) -> Sizing | None:
        """Return what the size of a batch depends on; None where there is no choice.

        Sizes are judged by what a batch costs the gateway: the network is hidden by the
        look-ahead, and takes a large batch longer anyway.
        """
        waiting, batching = lane.rows, spec.batching
        if waiting <= first and not batching.preferred_batch_sizes:
            return None
        return Sizing(
            first=first,
            waiting=min(waiting, max(spec.max_batch_size, first)),
            max_rows=max(spec.max_batch_size, 1),
            overhead_s=self._limits.dispatch_overhead_s,
            preferred=batching.preferred_batch_sizes,
        )

    def _candidate(
        self,
        node: Node,
        head: InferenceRequest,
        sizing: Sizing | None,
        digest: str,
        usable_s: float,
        now: float,
    ) -> Candidate:
        pace = node.ready[digest]
        free = node.has_room(pace.threads)
        backlog_s = 0.0 if free else node.backlog_s(now, pace.threads)
        time_left_s = usable_s - backlog_s
        rows = head.rows or 1 if sizing is None else pace.best_rows(sizing)
        run_s = pace.completion_s(rows)
        if run_s > time_left_s and sizing is not None:
            sizable_s = time_left_s - (pace.overhead_s - sizing.overhead_s)
            rows = target_rows(sizing, curve=pace.curve, time_left_s=sizable_s)
            run_s = pace.completion_s(rows)
        return Candidate(
            node_id=node.node_id,
            rows=rows,
            completion_s=backlog_s + run_s,
            last_used=node.last_used,
            backlog_s=backlog_s,
            free=free,
            joules=node.joules_per_row.get(digest),
            in_time=run_s <= time_left_s,
        )


def _is_choosy(head: Ticket, spec: ModelSpec) -> bool:
    """Whether a request may not run on every node that has its model."""
    return bool(head.avoid or spec.max_instances)
