"""Receipts for callers and ledger entries for the farm, from a settled batch."""

from collections import Counter

from farm.core.energy import EnergyReading
from farm.core.requests import BatchCompleted, LedgerEntry, Receipt
from farm.scheduling.nodes import Flight
from farm.scheduling.tickets import Ticket

# The route of a receipt: this farm's own nodes. Upstream farms and clouds come later.
ROUTE = "farm"


def energy_shares(flight: Flight, completed: BatchCompleted) -> list[EnergyReading | None]:
    """Return each member's share of the batch's joules, by rows; the shares add up to them."""
    members = flight.batch.members
    if completed.energy is None:
        return [None] * len(members)
    return list(completed.energy.share([member.rows for member in members]))


def receipt(
    entry: Ticket, flight: Flight, completed: BatchCompleted, energy: EnergyReading | None
) -> Receipt:
    """Return what one answered request took.

    Waiting at the node for a slot is waiting in the queue, wherever the batch stood.
    """
    compute_s = completed.timing.compute_ns / 1e9
    share = entry.request.rows / flight.batch.rows if flight.batch.rows else 1.0
    return Receipt(
        node_id=flight.node_id,
        route=ROUTE,
        digest=flight.batch.digest,
        batch_rows=flight.batch.rows,
        queue_s=_slot_at(flight) - entry.request.arrived_at,
        compute_s=compute_s,
        core_s=compute_s * flight.threads * share,
        attempts=entry.attempts,
        policy=flight.policy,
        energy=energy,
        cost=None if completed.cost is None else completed.cost * share,
    )


def ledger_entry(
    flight: Flight, *, outcome: str, completed: BatchCompleted | None, now: float
) -> LedgerEntry:
    """Return the account of a settled batch. Unanswered, its whole time in flight counts."""
    batch = flight.batch
    waiting = sum(entry is not None for entry in flight.tickets)
    answered = waiting if completed is not None else 0
    clients: Counter[str] = Counter()
    for member in batch.members:
        clients[member.client] += member.rows
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
        clients=clients,
    )


def _slot_at(flight: Flight) -> float:
    return flight.dispatched_at if flight.started_at is None else flight.started_at
