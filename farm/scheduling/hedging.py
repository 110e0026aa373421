"""A second run of a batch that takes too long, on another node that is idle."""

import heapq
from math import inf

from farm.core.models import ModelSpec
from farm.scheduling.dispatching import Dispatcher
from farm.scheduling.nodes import Flight, Node
from farm.scheduling.retries import RetryBudget
from farm.scheduling.state import State


class Hedger:
    """Gives late batches a twin: the first answer counts, the other batch is cancelled.

    Each request in a twin costs a retry of the budget that all second runs share.
    """

    def __init__(self, state: State, budget: RetryBudget, dispatcher: Dispatcher) -> None:
        self._state = state
        self._budget = budget
        self._dispatcher = dispatcher
        # Batches by the time at which they are late, each with the spec it was formed under.
        # Landed ones leave when they surface.
        self._late_at: list[tuple[float, int, ModelSpec]] = []

    def alarm_at(self) -> float:
        """Return when the next batch will be late, or infinity."""
        while self._late_at and self._late_at[0][1] not in self._state.flights:
            heapq.heappop(self._late_at)
        return self._late_at[0][0] if self._late_at else inf

    def watch(self, flight: Flight, node: Node) -> None:
        """Follow a batch that has just left, if it is one that may get a twin.

        A suspect one may not: it would endanger a second node. Nor may one that nothing
        is predicted for, and a twin gets no twin.
        """
        hedging, batch = self._state.limits.hedging, flight.batch
        if hedging is None or flight.twin is not None or batch.isolated:
            return
        if node.ready[batch.digest].known:
            expected_s = flight.ends_at - flight.dispatched_at
            wait_s = max(hedging.after_factor * expected_s, hedging.after_min_s)
            self._push(flight.dispatched_at + wait_s, flight, self._state.specs[batch.model])

    def hedge(self, now: float) -> bool:
        """Send twins for the batches that are late by now, where a node is idle for them.

        Returns whether there were any: the nodes that they took are no longer free.
        """
        sent = False
        while self._late_at and self._late_at[0][0] <= now:
            _, batch_id, spec = heapq.heappop(self._late_at)
            flight = self._state.flights.get(batch_id)
            if flight is None or not flight.wanted or flight.twin is not None:
                continue
            # After a reload the batch may not be one for the model any more.
            if self._state.specs.get(flight.batch.model) is spec:
                sent |= self._hedge(flight, spec, now)
        return sent

    def _hedge(self, flight: Flight, spec: ModelSpec, now: float) -> bool:
        entries = [entry for entry in flight.tickets if entry is not None]
        node = self._idle_node(flight, spec, now)
        if node is None or not self._budget.withdraw(len(entries)):
            # Once more when it has taken twice as long.
            self._push(2 * now - flight.dispatched_at, flight, spec)
            return False
        twin = self._dispatcher.send(
            spec,
            node,
            entries,
            trigger="hedge",
            reason=f"batch {flight.batch.id} takes too long at {flight.node_id}",
            now=now,
        )
        flight.twin, twin.twin = twin.batch.id, flight.batch.id
        return True

    def _push(self, at: float, flight: Flight, spec: ModelSpec) -> None:
        heapq.heappush(self._late_at, (at, flight.batch.id, spec))

    def _idle_node(self, flight: Flight, spec: ModelSpec, now: float) -> Node | None:
        """Return the quickest other node with room where some member would be in time."""
        entries = [entry for entry in flight.tickets if entry is not None]
        latest = max(inf if (at := e.request.deadline) is None else at for e in entries)
        avoided = frozenset[tuple[str, str]]().union(*(entry.avoid for entry in entries))
        found: list[tuple[float, int, str, Node]] = []
        for node in self._state.nodes.free(spec.digest):
            pace = node.ready[spec.digest]
            run_s = pace.overhead_s + pace.seconds(max(flight.batch.rows, 1))
            if (
                node.node_id != flight.node_id
                and node.identity not in avoided
                and pace.known
                and now + run_s < latest
                and not (spec.max_instances and node.running(spec.key) >= spec.max_instances)
            ):
                found.append((run_s, node.last_used, node.node_id, node))
        return min(found)[3] if found else None
