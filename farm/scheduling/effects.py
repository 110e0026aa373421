"""What the machine wants done. Whoever drives it does the I/O and feeds results back."""

from dataclasses import dataclass

from farm.core.errors import FarmError
from farm.core.requests import Batch, LedgerEntry, Placement, Receipt
from farm.core.tensors import Tensor


@dataclass(frozen=True, slots=True)
class DispatchBatch:
    """Run a batch at a node."""

    batch: Batch
    placement: Placement


@dataclass(frozen=True, slots=True)
class ResolveRequest:
    """Answer a request."""

    request_id: int
    outputs: tuple[Tensor, ...]
    receipt: Receipt


@dataclass(frozen=True, slots=True)
class RejectRequest:
    """Refuse a request, for good."""

    request_id: int
    error: FarmError


@dataclass(frozen=True, slots=True)
class WakeAt:
    """Send `TimerFired` at this time of the driver's clock; replaces any earlier one."""

    at: float


@dataclass(frozen=True, slots=True)
class CancelBatch:
    """Nobody waits for this batch any more. Its slot stays taken until it is settled."""

    batch_id: int
    node_id: str


@dataclass(frozen=True, slots=True)
class EjectNode:
    """A node gets no batches until `until`, because of `reason`."""

    node_id: str
    until: float
    reason: str


@dataclass(frozen=True, slots=True)
class ProbeNode:
    """Try a real inference of one of these digests at a node; answer with `NodeProbed`."""

    node_id: str
    incarnation: str
    digests: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReplaceNode:
    """A node hangs: end its actor, by force, and start another. `NodeLost` follows."""

    node_id: str
    incarnation: str
    reason: str


@dataclass(frozen=True, slots=True)
class AppendLedger:
    """Account for a settled batch."""

    entry: LedgerEntry


Effect = (
    DispatchBatch
    | ResolveRequest
    | RejectRequest
    | WakeAt
    | CancelBatch
    | EjectNode
    | ProbeNode
    | ReplaceNode
    | AppendLedger
)
