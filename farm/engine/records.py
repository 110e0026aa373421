"""What is kept of what happened, and whoever keeps it."""

from collections.abc import Iterable
from typing import Final, Protocol

from farm.core.errors import ErrorCode
from farm.core.ledger import BatchRecord, Incident, Usage, WindowRecord
from farm.core.models import ModelKey
from farm.energy.attribution import BatchAccount
from farm.energy.charges import Charge
from farm.energy.cores import Core

# The route of what this farm's own nodes ran.
_ROUTE: Final = "farm"


class Records(Protocol):
    """Where what happened is kept: the ledger. Every method returns at once and never raises."""

    def batches(self, records: Iterable[BatchRecord], count: int) -> None:
        """Keep so many settled batches; going through them takes time, and may be put off."""
        ...

    def window(self, record: WindowRecord) -> None:
        """Keep a window that was closed."""
        ...

    def incident(self, incident: Incident) -> None:
        """Keep something that went wrong."""
        ...

    def request(
        self,
        model: ModelKey,
        client: str,
        *,
        code: ErrorCode | None,
        latency_s: float,
        in_time: bool | None,
        request_bytes: int,
        response_bytes: int,
    ) -> None:
        """Count a request; `code` is None for an answer, `in_time` where there is no telling."""
        ...


class Unkept:
    """Records of a farm that keeps no ledger."""

    def batches(self, records: Iterable[BatchRecord], count: int) -> None:
        return

    def window(self, record: WindowRecord) -> None:
        return

    def incident(self, incident: Incident) -> None:
        return

    def request(
        self,
        model: ModelKey,
        client: str,
        *,
        code: ErrorCode | None,
        latency_s: float,
        in_time: bool | None,
        request_bytes: int,
        response_bytes: int,
    ) -> None:
        return


def batch_record(batch: BatchAccount, core: Core, unix_ns: int) -> BatchRecord:
    """Return what is kept of a settled batch, which ran on a node of such cores."""
    entry = batch.entry
    return BatchRecord(
        settled_unix_ns=unix_ns,
        batch_id=entry.batch_id,
        model=entry.model,
        digest=entry.digest,
        node_id=entry.node_id,
        route=_ROUTE,
        outcome=entry.outcome,
        rows=entry.rows,
        requests=entry.requests,
        wasted=entry.wasted,
        queue_s=entry.queue_s,
        compute_s=entry.compute_s,
        usage=batch.usage(core.relative_time),
        waste=entry.waste,
        clients=entry.clients,
    )


def usage_of(charge: Charge) -> Usage:
    """Return a charge as plain figures."""
    energy = charge.energy
    return Usage(
        joules=energy.band.typical,
        low_j=energy.band.low,
        high_j=energy.band.high,
        measured_j=energy.measured,
        modelled_j=energy.modelled,
        marginal_j=charge.marginal.typical,
        node_s=charge.node_s,
        reference_s=charge.core_s,
        cost=charge.cost,
        power_cost=charge.power_cost,
    )
