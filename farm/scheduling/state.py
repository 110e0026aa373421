"""What the machine knows, and the ways in which a request changes its place."""

from farm.core.errors import ErrorCode, FarmError, ModelUnavailableError
from farm.core.ledger import WasteKind
from farm.core.models import ModelKey, ModelSpec
from farm.scheduling.admission import fits
from farm.scheduling.deadlines import DeadlineHeap
from farm.scheduling.effects import CancelBatch, Effect, RejectRequest
from farm.scheduling.limits import SchedulingLimits
from farm.scheduling.nodes import Flight, Node
from farm.scheduling.patience import Demand
from farm.scheduling.queue import Queues
from farm.scheduling.roster import Roster
from farm.scheduling.tickets import Ticket, lane_of


class State:
    """Models, nodes and requests, and the effects of the events that are being handled.

    A ticket is in `tickets` from acceptance to reply; until then it is either in its
    model's queue or in exactly one flight, or in two that are twins. A queue has tickets
    only while its model has a spec.
    """

    def __init__(self, limits: SchedulingLimits) -> None:
        self.limits = limits
        # The only mutable collections of the scheduler, beside a node's own flights.
        self.specs: dict[ModelKey, ModelSpec] = {}
        self.queues = Queues(fair=limits.fair)
        self.nodes = Roster(limits)
        # How much arrives for each model that is served.
        self.demands: dict[ModelKey, Demand] = {}
        self.tickets: dict[int, Ticket] = {}
        self.flights: dict[int, Flight] = {}
        self.deadlines = DeadlineHeap()
        self.effects: list[Effect] = []
        # The batches that leave while the events are handled, and for which nodes.
        self.departed: list[tuple[Flight, Node]] = []

    def reject(self, entry: Ticket, error: FarmError) -> None:
        """End a request that is in no queue and in no flight."""
        del self.tickets[entry.request.id]
        self.effects.append(RejectRequest(entry.request.id, error))

    def abandon(self, entry: Ticket, error: FarmError) -> None:
        """End a request wherever it is, without touching its batch-mates."""
        if entry.batch_id is None:
            self.queues.remove(entry)
        else:
            left = error.code is ErrorCode.CANCELLED
            kind = WasteKind.CANCELLED if left else WasteKind.EXPIRED
            flight = self.flights[entry.batch_id]
            self._disembark(entry, flight, kind)
            if flight.twin is not None:
                self._disembark(entry, self.flights[flight.twin], kind)
        self.reject(entry, error)

    def recall(self, flight: Flight) -> None:
        """Queue the members of a batch again that waits at its node, as if it had never left.

        It has no twin. Whatever becomes of it is for nobody.
        """
        for entry in [entry for entry in flight.tickets if entry is not None]:
            self._disembark(entry, flight, WasteKind.RETRIED)
            self.return_to_queue(entry)

    def return_to_queue(self, entry: Ticket) -> None:
        """Queue a request again whose batch was never begun."""
        entry.attempts -= 1
        self.requeue(entry)
        if entry.attempts == 0 and entry.request.queue_deadline is not None:
            # Its time in the queue may have ended where it did not matter.
            self.deadlines.push(entry.request.queue_deadline, entry.request.id)

    def _disembark(self, entry: Ticket, flight: Flight, kind: WasteKind) -> None:
        flight.tickets[flight.tickets.index(entry)] = None
        flight.forfeit(entry, kind)
        if not flight.wanted:
            self.effects.append(CancelBatch(flight.batch.id, flight.node_id))

    def requeue(self, entry: Ticket) -> None:
        """Queue a request again that is in no queue and in no flight, if its model takes it."""
        request = entry.request
        spec = self.specs.get(request.model)
        name = f"model '{request.model.name}' version {request.model.version}"
        if spec is None:
            error = ModelUnavailableError(
                f"{name} was unloaded while the request waited; load the model again, or call"
                " another version"
            )
            self.reject(entry, error)
        elif entry.outputs != spec.outputs or not fits(request, spec):
            error = ModelUnavailableError(
                f"{name} was reloaded with other inputs or outputs; send the request again",
                retry_after_s=self.limits.pushback_s,
            )
            self.reject(entry, error)
        else:
            if not entry.alone:
                # The version may have been reloaded while the request was in flight.
                entry.lane = lane_of(request, batched=spec.shares_batches)
            entry.batch_id = None
            self.queues.push(entry)

    def depart(self, flight: Flight, node: Node, now: float) -> None:
        """Send a batch on its way."""
        self.flights[flight.batch.id] = flight
        self.departed.append((flight, node))
        node.board(flight, now)
        self.nodes.touch(node, now)

    def land(self, batch_id: int, now: float) -> Flight | None:
        """Take a batch out of the air; None if it was settled before (a late answer)."""
        flight = self.flights.pop(batch_id, None)
        if flight is not None and (node := self.nodes.get(flight.node_id)) is not None:
            node.release(flight, now)
            self.nodes.touch(node, now)
        return flight

    def part(self, flight: Flight) -> None:
        """Leave the members of a batch that landed without an answer to its twin, if any."""
        twin = None if flight.twin is None else self.flights[flight.twin]
        if twin is not None:
            twin.twin = None
        for entry in flight.tickets:
            if entry is not None:
                entry.batch_id = None if twin is None else twin.batch.id

    def outrun(self, flight: Flight) -> None:
        """Let go of the twin of a batch that landed with an answer, if it has one."""
        twin = None if flight.twin is None else self.flights[flight.twin]
        if twin is None:
            return
        twin.twin = None
        if twin.wanted:
            for place, entry in enumerate(twin.tickets):
                if entry is not None:
                    twin.tickets[place] = None
                    twin.forfeit(entry, WasteKind.HEDGED)
            self.effects.append(CancelBatch(twin.batch.id, twin.node_id))
