"""Receipts for callers and ledger entries for the farm, from a settled batch."""

from farm.core.requests import BatchCompleted, LedgerEntry, Receipt
from farm.scheduling.nodes import Flight
from farm.scheduling.tickets import Ticket

# The route of a receipt: this farm's own nodes. Upstream farms and clouds come later.
ROUTE = "farm"


def receipt(entry: Ticket, flight: Flight, completed: BatchCompleted) -> Receipt:
    """Return what one answered request took: its share of the batch goes by rows.

    Waiting at the node for a slot is waiting in the queue, wherever the batch stood.
    """
    rows = flight.batch.rows
    return Receipt(
        node_id=flight.node_id,
        route=ROUTE,
        digest=flight.batch.digest,
        batch_rows=rows,
        queue_s=_slot_at(flight) - entry.request.arrived_at,
        compute_s=completed.timing.compute_ns / 1e9,
        threads=flight.threads,
        # Requests without rows come alone.
        share=entry.request.rows / rows if rows else 1.0,
        attempts=entry.attempts,
        policy=flight.policy,
        batch_energy=completed.energy,
        batch_cost=completed.cost,
        batch_id=flight.batch.id,
    )


def ledger_entry(
    flight: Flight, *, outcome: str, completed: BatchCompleted | None, now: float
) -> LedgerEntry:
    """Return the account of a settled batch. Unanswered, its whole time in flight counts.

    What it forfeited is known by now.
    """
    batch = flight.batch
    waiting = sum(entry is not None for entry in flight.tickets)
    answered = waiting if completed is not None else 0
    clients: dict[str, int] = {}
    for member in batch.members:
        clients[member.client] = clients.get(member.client, 0) + member.rows
    return LedgerEntry(
        batch_id=batch.id,
        model=batch.model,
        digest=batch.digest,
        node_id=flight.node_id,
        rows=batch.rows,
        requests=answered,
        wasted=len(batch.members) - answered,
        outcome=outcome,
        queue_s=sum(_slot_at(flight) - member.arrived_at for member in batch.members),
        compute_s=completed.timing.compute_ns / 1e9 if completed else now - flight.dispatched_at,
        timing=completed.timing if completed else None,
        energy=completed.energy if completed else None,
        waste=flight.waste,
        clients=clients,
    )


def _slot_at(flight: Flight) -> float:
    return flight.dispatched_at if flight.started_at is None else flight.started_at
