"""A request, the batch it rides in, and the receipt it comes back with.

Times named `*_at` and deadlines are seconds of the gateway's monotonic clock. They never
cross hosts: nodes get the microseconds that remain.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from farm.core.energy import EnergyReading
from farm.core.errors import ErrorCode
from farm.core.ledger import WasteKind
from farm.core.models import ModelKey
from farm.core.tensors import Datatype, Tensor

Parameter = bool | int | float | str

# What two requests must share to ride in one batch: names, datatypes, inner shapes.
BatchSignature = tuple[tuple[str, Datatype, tuple[int, ...]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceRequest:
    """A validated request.

    `id` is the gateway's own and unique; `given_id` is what its client calls it, of any length
    and content. `rows` counts rows along axis 0, or is 1 for a model without a batch axis.
    `priority` is 1 for the most urgent; larger numbers wait longer. `queue_deadline` bounds the
    wait in the queue, `deadline` the whole request; `names_deadline` tells that its client asked
    for that one. `client` is whose request it is, by authenticated identity or peer: clients share
    the farm fairly. `trace_parent` is the W3C `traceparent` of its call, as it came, where
    requests are traced.
    """

    id: int
    model: ModelKey
    inputs: tuple[Tensor, ...]
    rows: int
    arrived_at: float
    priority: int = 1
    deadline: float | None = None
    queue_deadline: float | None = None
    names_deadline: bool = False
    client: str = ""
    given_id: str = ""
    trace_parent: str = ""
    parameters: Mapping[str, Parameter] = field(default_factory=dict)

    @property
    def size_bytes(self) -> int:
        """Bytes of all inputs."""
        return sum([len(tensor.raw) for tensor in self.inputs])

    def signature(self) -> BatchSignature:
        """Return what this request must share with its batch-mates: all but axis 0."""
        return tuple((t.name, t.datatype, t.shape[1:]) for t in self.inputs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Requests that run as one call.

    `batched` tells whether axis 0 counts rows that are independent; if not there is one
    member.
    `trigger` says why the batch was formed now: "free_slot" or "lookahead", a node had room
    and no reason to wait; or, for a model with a queue delay, "full" or "preferred_size",
    enough rows waited, "queue_delay", the delay was over, "deadline", a member had no time
    to wait longer; "hedge", a batch elsewhere takes too long.
    It runs on `threads` threads of its node, 0 for the node's default. Where it is
    `isolated`, one of its members may have killed a node: it runs in a process of its own.
    """

    id: int
    model: ModelKey
    digest: str
    members: tuple[InferenceRequest, ...]
    rows: int
    batched: bool
    formed_at: float
    trigger: str
    threads: int = 0
    isolated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where a batch goes, chosen by which policy, and why."""

    batch_id: int
    node_id: str
    policy: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchTiming:
    """Nanoseconds a node spent on a batch: bytes to arrays, the session, arrays to bytes."""

    input_ns: int
    infer_ns: int
    output_ns: int

    @property
    def compute_ns(self) -> int:
        return self.input_ns + self.infer_ns + self.output_ns


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchCompleted:
    """A node's answer: `outputs[i]` belongs to `batch.members[i]`.

    `energy` and `cost` are what the gateway reckons that it took, in the farm's currency.
    """

    batch_id: int
    node_id: str
    incarnation: str
    outputs: tuple[tuple[Tensor, ...], ...]
    timing: BatchTiming
    energy: EnergyReading | None = None
    cost: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFailed:
    """A batch that gave no answer.

    `retryable` means that the failure says nothing about the requests: the node died, was
    full or could not be reached. Otherwise the model itself failed on them.
    """

    batch_id: int
    node_id: str
    incarnation: str
    code: ErrorCode
    message: str
    retryable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What one request took: where it ran, why there, with whom, for how long, at what energy.

    `compute_s` is its whole batch's, on `threads` threads, and so are `batch_energy` and
    `batch_cost`; `share` is its own part of them. `policy` is the placement policy that chose
    the node.
    """

    node_id: str
    route: str
    digest: str
    batch_rows: int
    queue_s: float
    compute_s: float
    threads: int
    share: float
    attempts: int
    policy: str
    batch_energy: EnergyReading | None = None
    batch_cost: float | None = None
    batch_id: int = 0

    @property
    def core_s(self) -> float:
        """Its own seconds of one core."""
        return self.compute_s * self.threads * self.share

    @property
    def energy(self) -> EnergyReading | None:
        """Its own joules."""
        return None if self.batch_energy is None else self.batch_energy.part(self.share)

    @property
    def cost(self) -> float | None:
        """What it cost itself."""
        return None if self.batch_cost is None else self.batch_cost * self.share


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """One row a batch, for accounting: who ran what, how it ended, what it took.

    `requests` counts members answered by this batch, `wasted` those that were not; `waste` has
    the rows of these by why. `outcome` is "completed" or an error code. `clients` has the rows
    of each client.
    """

    batch_id: int
    model: ModelKey
    digest: str
    node_id: str
    rows: int
    requests: int
    wasted: int = 0
    outcome: str
    queue_s: float
    compute_s: float
    timing: BatchTiming | None
    energy: EnergyReading | None
    waste: Mapping[WasteKind, int] = field(default_factory=dict)
    clients: Mapping[str, int] = field(default_factory=dict)
