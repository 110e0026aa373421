"""Forms the batches that the planner chose and sends them on their way."""

from farm.core.requests import Batch, Placement
from farm.scheduling.effects import DispatchBatch
from farm.scheduling.nodes import Flight
from farm.scheduling.placement import PlacementPolicy
from farm.scheduling.planning import Plan, Planner, Wait
from farm.scheduling.queue import Ticket
from farm.scheduling.state import State


class Dispatcher:
    """Moves tickets from queues into flights."""

    def __init__(self, state: State, policy: PlacementPolicy) -> None:
        self._state = state
        self._planner = Planner(limits=state.limits, policy=policy)
        self._policy_name = policy.name
        self._batch_ids = 0

    def dispatch(self, now: float) -> float:
        """Form and place batches until no waiting request can go anywhere.

        Returns when time alone will let a request go that waits now, or infinity.
        """
        state = self._state
        while True:
            plan = self._planner.next(state.specs, state.queues.by_model, state.nodes.values(), now)
            if isinstance(plan, Wait):
                return plan.until
            entries = state.queues.take(
                plan.spec.key,
                plan.lane,
                target_rows=plan.rows,
                max_bytes=state.limits.max_batch_bytes,
            )
            self._send(plan, entries, now)

    def _send(self, plan: Plan, entries: list[Ticket], now: float) -> None:
        spec, node = plan.spec, plan.node
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
            trigger=plan.trigger,
        )
        curve = node.ready[spec.digest]
        compute_s = curve.seconds(max(rows, 1)) if curve is not None else 0.0
        flight = Flight(
            batch=batch,
            node_id=node.profile.node_id,
            incarnation=node.profile.incarnation,
            tickets=[*entries],
            dispatched_at=now,
            predicted_s=self._state.limits.dispatch_overhead_s + compute_s,
            policy=self._policy_name,
        )
        for entry in entries:
            entry.attempts += 1
            entry.batch_id = batch.id
        node.flights[batch.id] = flight
        node.promote(now)
        node.last_used = batch.id
        self._state.flights[batch.id] = flight
        placement = Placement(
            batch_id=batch.id,
            node_id=node.profile.node_id,
            policy=self._policy_name,
            reason=plan.reason,
        )
        self._state.effects.append(DispatchBatch(batch, placement))
