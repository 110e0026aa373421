"""Forms the batches that the planner chose and sends them on their way."""

from farm.core.errors import DeadlineExceededError
from farm.core.models import ModelSpec
from farm.core.requests import Batch, Placement
from farm.scheduling.effects import DispatchBatch
from farm.scheduling.lateness import Hopeless, told
from farm.scheduling.nodes import Flight, Node
from farm.scheduling.placement import PlacementPolicy
from farm.scheduling.planning import Planner, Wait
from farm.scheduling.state import State
from farm.scheduling.tickets import Ticket


class Dispatcher:
    """Moves tickets from queues into flights."""

    def __init__(self, state: State, policy: PlacementPolicy) -> None:
        self._state = state
        self._planner = Planner(limits=state.limits, policy=policy, roster=state.nodes)
        self._policy_name = policy.name
        self._batch_ids = 0

    def dispatch(self, now: float) -> float:
        """Form and place batches until no waiting request can go anywhere.

        Returns when time alone will let a request go that waits now, or infinity.
        """
        state = self._state
        while True:
            plan = self._planner.next(state.specs, state.queues.by_model, state.demands, now)
            if isinstance(plan, Wait):
                return plan.until
            if isinstance(plan, Hopeless):
                state.abandon(plan.entry, _too_late(plan))
                continue
            entries = state.queues.take(
                plan.spec.key,
                plan.lane,
                target_rows=plan.rows,
                max_bytes=state.limits.max_batch_bytes,
            )
            self.send(
                plan.spec, plan.node, entries, trigger=plan.trigger, reason=plan.reason, now=now
            )

    def send(
        self,
        spec: ModelSpec,
        node: Node,
        entries: list[Ticket],
        *,
        trigger: str,
        reason: str,
        now: float,
    ) -> Flight:
        """Form a batch of tickets that are in no queue, and send it to a node."""
        pace = node.ready[spec.digest]
        self._batch_ids += 1
        rows = sum(entry.request.rows for entry in entries)
        batch = Batch(
            id=self._batch_ids,
            model=spec.key,
            digest=spec.digest,
            members=tuple(entry.request for entry in entries),
            rows=rows,
            batched=spec.shares_batches,
            formed_at=now,
            trigger=trigger,
            threads=pace.threads,
            isolated=any(entry.suspect for entry in entries),
        )
        run_s = pace.overhead_s + pace.seconds(max(rows, 1))
        flight = Flight(
            batch=batch,
            node_id=node.profile.node_id,
            incarnation=node.profile.incarnation,
            tickets=[*entries],
            dispatched_at=now,
            predicted_s=run_s,
            policy=self._policy_name,
            threads=pace.threads,
            ends_at=now + node.backlog_s(now, pace.threads) + run_s,
        )
        for entry in entries:
            entry.attempts += 1
            entry.batch_id = batch.id
        self._state.depart(flight, node, now)
        placement = Placement(
            batch_id=batch.id,
            node_id=node.profile.node_id,
            policy=self._policy_name,
            reason=reason,
        )
        self._state.effects.append(DispatchBatch(batch, placement))
        return flight


def _too_late(late: Hopeless) -> DeadlineExceededError:
    return DeadlineExceededError(
        f"the farm is too busy: a node would take {told(late.takes_s)} for this request, which"
        f" has {told(late.left_s)} left; give it more time, or send less"
    )
