"""What becomes of batches and nodes when something goes wrong."""

from farm.core.errors import ErrorCode, error_class
from farm.core.requests import BatchFailed
from farm.scheduling.accounting import ledger_entry
from farm.scheduling.effects import AppendLedger, EjectNode
from farm.scheduling.nodes import Flight, Node
from farm.scheduling.retries import RetryBudget
from farm.scheduling.state import State

# Failures that say nothing about how well a node works.
_NOT_A_NODES_FAULT = (ErrorCode.NODE_BUSY, ErrorCode.CANCELLED)


class Failures:
    """Settles batches that gave no answer: retries, isolates or rejects their members."""

    def __init__(self, state: State, budget: RetryBudget) -> None:
        self._state = state
        self._budget = budget

    def fail(self, failed: BatchFailed, now: float) -> None:
        """Take a batch that came back without an answer."""
        if failed.retryable and failed.code is ErrorCode.NODE_LOST and self._is_at(failed):
            # Its other batches are lost with it, and it must not get new ones.
            self.lose(failed.node_id, failed.message, now)
            return
        flight = self._state.land(failed.batch_id, now)
        if flight is None:
            return
        if failed.retryable:
            node = self._state.nodes.get(flight.node_id)
            if node is not None and flight.wanted and failed.code not in _NOT_A_NODES_FAULT:
                self._punish(node, now)
            self._retry(flight, failed.code, failed.message)
        else:
            self._isolate(flight, failed)
        self._account(flight, failed.code, now)

    def lose(self, node_id: str, reason: str, now: float) -> None:
        """Forget a node and settle what it had in flight."""
        node = self._state.nodes.pop(node_id, None)
        if node is None:
            return
        for flight in list(node.flights.values()):
            self._state.land(flight.batch.id, now)
            self._retry(flight, ErrorCode.NODE_LOST, f"node '{node_id}' was lost ({reason})")
            self._account(flight, ErrorCode.NODE_LOST, now)

    def _is_at(self, failed: BatchFailed) -> bool:
        """Whether a batch is in flight at the incarnation of its node that is known now."""
        node = self._state.nodes.get(failed.node_id)
        flight = node.flights.get(failed.batch_id) if node is not None else None
        return flight is not None and flight.incarnation == failed.incarnation

    def _retry(self, flight: Flight, code: ErrorCode, message: str) -> None:
        """Give the members of a batch that a node did not finish another chance elsewhere.

        Each runs alone then, for one of them may have killed the node.
        """
        limits = self._state.limits
        for entry in flight.tickets:
            if entry is None:
                continue
            entry.failures += 1
            entry.avoid |= {(flight.node_id, flight.incarnation)}
            entry.isolate()
            spent = entry.failures >= limits.max_attempts
            if not spent and self._budget.withdraw():
                self._state.requeue(entry)
                continue
            why = f"it failed {entry.failures} times" if spent else "the retry budget is used up"
            error = error_class(code)(
                f"{message}; {why}, so try again later", retry_after_s=limits.pushback_s
            )
            self._state.reject(entry, error)

    def _isolate(self, flight: Flight, failed: BatchFailed) -> None:
        """Find out which member a model failed on by running each alone."""
        alone = len(flight.batch.members) == 1
        for entry in flight.tickets:
            if entry is None:
                continue
            if alone:
                self._state.reject(entry, error_class(failed.code)(failed.message))
            else:
                entry.isolate()
                self._state.requeue(entry)

    def _punish(self, node: Node, now: float) -> None:
        state = self._state
        out = sum(other.ejected_until is not None for other in state.nodes.values())
        may_eject = out + 1 <= len(state.nodes) * state.limits.eject_max_fraction
        reason = node.punish(now, state.limits, may_eject=may_eject)
        if node.ejected_until is not None and reason:
            state.effects.append(EjectNode(node.profile.node_id, node.ejected_until, reason))

    def _account(self, flight: Flight, outcome: ErrorCode, now: float) -> None:
        account = ledger_entry(flight, outcome=outcome, completed=None, now=now)
        self._state.effects.append(AppendLedger(account))
