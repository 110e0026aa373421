"""What becomes of requests whose batches gave no answer."""

from farm.core.errors import ErrorCode, NodeBusyError, error_class
from farm.core.ledger import WasteKind
from farm.core.requests import BatchFailed
from farm.scheduling.accounting import ledger_entry
from farm.scheduling.effects import AppendLedger
from farm.scheduling.health import Health
from farm.scheduling.nodes import Flight, Node
from farm.scheduling.retries import RetryBudget
from farm.scheduling.state import State
from farm.scheduling.tickets import Ticket


class Failures:
    """Settles batches that gave no answer: offers, retries, isolates or rejects their members."""

    def __init__(self, state: State, budget: RetryBudget, health: Health) -> None:
        self._state = state
        self._budget = budget
        self._health = health

    def fail(self, failed: BatchFailed, now: float) -> None:
        """Take a batch that came back without an answer."""
        if failed.retryable and failed.code is ErrorCode.NODE_LOST and self._is_at(failed):
            # Its other batches are lost with it, and it must not get new ones.
            self.lose(failed.node_id, failed.message, now)
            return
        flight = self._state.land(failed.batch_id, now)
        if flight is None:
            return
        if not failed.retryable:
            self._isolate(flight, failed)
        elif failed.code is ErrorCode.NODE_BUSY:
            self._offer_again(flight, now)
        else:
            self._blame_node(flight, failed.code, now)
            self._retry(flight, failed.code, failed.message)
        self._account(flight, failed.code, now)

    def lose(self, node_id: str, reason: str, now: float) -> None:
        """Forget a node and settle what it had in flight."""
        node = self._state.nodes.remove(node_id)
        if node is None:
            return
        self._health.forget()
        for flight in list(node.flights.values()):
            self._state.land(flight.batch.id, now)
            self._retry(flight, ErrorCode.NODE_LOST, f"node '{node_id}' was lost ({reason})")
            self._account(flight, ErrorCode.NODE_LOST, now)

    def recall(self, node: Node) -> None:
        """Take back what waits at a node that is not trusted any more: it has not begun there.

        What runs there may be what the node suffers from, and stays.
        """
        for flight in list(node.flights.values()):
            if flight.started_at is None and flight.twin is None and flight.wanted:
                self._state.recall(flight)

    def _is_at(self, failed: BatchFailed) -> bool:
        """Whether a batch is in flight at the incarnation of its node that is known now."""
        node = self._state.nodes.get(failed.node_id)
        flight = node.flights.get(failed.batch_id) if node is not None else None
        return flight is not None and flight.incarnation == failed.incarnation

    def _blame_node(self, flight: Flight, code: ErrorCode, now: float) -> None:
        """Hold a failure against the node, if it may be the node's and somebody suffers."""
        node = self._state.nodes.get(flight.node_id)
        innocent = code is ErrorCode.CANCELLED or flight.batch.isolated or not flight.wanted
        if node is not None and not innocent:
            self._health.blame(node, now)

    def _offer_again(self, flight: Flight, now: float) -> None:
        """Queue the members of a batch that a full node did not take, as if nothing had been."""
        limits = self._state.limits
        node = self._state.nodes.get(flight.node_id)
        if node is not None:
            self._health.pause(node, now)
        for entry in self._outstanding(flight):
            if entry.batch_id is not None:
                entry.attempts -= 1
                continue
            entry.refusals += 1
            if entry.refusals < limits.max_refusals:
                self._state.return_to_queue(entry)
                continue
            error = NodeBusyError(
                f"nodes were too busy for the request {entry.refusals} times; try again later",
                retry_after_s=limits.pushback_s,
            )
            self._state.reject(entry, error)

    def _retry(self, flight: Flight, code: ErrorCode, message: str) -> None:
        """Give the members of a batch that a node did not finish another chance elsewhere.

        Each runs alone then, for one of them may be the cause; and in a process of its own
        if the node died of it.
        """
        limits = self._state.limits
        bystander = code is ErrorCode.NODE_LOST and flight.batch.isolated
        for entry in self._outstanding(flight):
            if bystander and entry.spared < limits.max_attempts:
                # The node died of something else; or of a process that took all its memory,
                # so this is not for ever.
                entry.spared += 1
            else:
                entry.failures += 1
            entry.avoid |= {(flight.node_id, flight.incarnation)}
            entry.isolate()
            entry.suspect |= code is ErrorCode.NODE_LOST
            if entry.batch_id is not None:
                continue
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
        for entry in self._outstanding(flight):
            if entry.batch_id is not None:
                continue
            if alone:
                self._state.reject(entry, error_class(failed.code)(failed.message))
            else:
                entry.isolate()
                self._state.requeue(entry)

    def _outstanding(self, flight: Flight) -> list[Ticket]:
        """Return who waits for a batch that has landed. `batch_id` is set where a twin runs on."""
        entries = [entry for entry in flight.tickets if entry is not None]
        self._state.part(flight)
        return entries

    def _account(self, flight: Flight, outcome: ErrorCode, now: float) -> None:
        """Note what became of the members that it was to answer."""
        for entry in flight.tickets:
            if entry is not None:
                again = entry.request.id in self._state.tickets
                flight.forfeit(entry, WasteKind.RETRIED if again else WasteKind.FAILED)
        account = ledger_entry(flight, outcome=outcome, completed=None, now=now)
        self._state.effects.append(AppendLedger(account))
