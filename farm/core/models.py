"""Models as the farm serves them, and the curve that says what a batch of one costs."""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from farm.core.tensors import Datatype, TensorSpec


@dataclass(frozen=True, slots=True, order=True)
class ModelKey:
    """One version of one model: what a request is for and what a queue holds."""

    name: str
    version: int

    def __str__(self) -> str:
        return f"{self.name}:{self.version}"


class ModelState(StrEnum):
    """A version's state as its clients see it."""

    LOADING = "loading"
    READY = "ready"
    UNLOADING = "unloading"
    UNAVAILABLE = "unavailable"


class Objective(StrEnum):
    """What a model's batches are tuned for, and with them the split of a node's cores."""

    THROUGHPUT = "throughput"
    LATENCY = "latency"


class TimeoutAction(StrEnum):
    """What becomes of a request whose time in the queue is up."""

    REJECT = "reject"
    DELAY = "delay"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePolicy:
    """How requests of one priority wait, as Triton's `ModelQueuePolicy` has it.

    `max_queue_size` 0 leaves only the farm's own bound. With a `default_timeout_s` a
    request's own timeout counts only if `allow_timeout_override` is set and it is shorter;
    without one it always counts. A delayed request goes behind all others of its priority.
    """

    max_queue_size: int = 0
    default_timeout_s: float | None = None
    allow_timeout_override: bool = False
    timeout_action: TimeoutAction = TimeoutAction.REJECT


@dataclass(frozen=True, slots=True, kw_only=True)
class DynamicBatching:
    """What a model's config says of its queue; the defaults leave all to the farm.

    A batch waits up to `max_queue_delay_s` for company, only while a slot is free and only
    where the measured curve says that a larger batch takes less time a row. Where some of
    the `preferred_batch_sizes` can be filled, one of them is chosen. With `priority_levels`
    a request's priority is 1 (first) up to that number; anything else means
    `default_priority`. Policies are by priority, `queue` for those without their own.
    """

    preferred_batch_sizes: tuple[int, ...] = ()
    max_queue_delay_s: float = 0.0
    priority_levels: int = 0
    default_priority: int = 0
    queue: QueuePolicy = QueuePolicy()
    queue_by_priority: Mapping[int, QueuePolicy] = field(default_factory=dict)

    def policy(self, priority: int) -> QueuePolicy:
        """Return how requests of a priority wait."""
        return self.queue_by_priority.get(priority, self.queue)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """A version that may be served.

    `max_batch_size` counts rows along axis 0, of a request and of a batch; 0 means that the
    model has no batch axis. Requests share a batch only where it `joins` them: where rows
    depend on each other each request runs by itself. `batching_reason` says how that was
    decided. At most `max_instances` batches of it run on one node at once, or, for 0, as
    many as the node has slots. `objective` picks the split of a node's cores.
    """

    key: ModelKey
    digest: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    max_batch_size: int
    joins: bool = True
    batching_reason: str = ""
    batching: DynamicBatching = DynamicBatching()
    max_instances: int = 0
    objective: Objective = Objective.THROUGHPUT

    @property
    def batched(self) -> bool:
        """Whether axis 0 of every tensor counts rows."""
        return self.max_batch_size > 0

    @property
    def shares_batches(self) -> bool:
        """Whether a batch may hold more than one request."""
        return self.batched and self.joins


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFile:
    """A file of a version: its path inside the version's folder, digest and size."""

    path: str
    sha256: str
    size_bytes: int


class WarmupData(StrEnum):
    """What a warm-up input is filled with."""

    ZERO = "zero"
    RANDOM = "random"
    FILE = "file"


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmupInput:
    """One input of a warm-up request.

    `shape` is the model's own, without the batch axis. `file` holds the raw bytes of one
    row, as the wire carries them, for `WarmupData.FILE`.
    """

    name: str
    datatype: Datatype
    shape: tuple[int, ...]
    data: WarmupData
    file: ModelFile | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Warmup:
    """A request that a node runs `count` times before a model gets traffic.

    It has `batch_size` equal rows, or, for a model without a batch axis, none of its own.
    """

    name: str
    batch_size: int
    count: int
    inputs: tuple[WarmupInput, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelArtifact:
    """What travels to a node: the files a digest names, and what to try them with.

    `digest` covers `files` and `main` alone, so better goldens do not make it another model.
    `max_batch_size` is what the model's config asks for, or None to let the node find out.
    `joins` says that the config asks for requests to be joined; else the node finds out
    whether their rows are independent. `main` is the path of the file to open among
    `files`; the others are what it refers to.
    """

    key: ModelKey
    digest: str
    files: tuple[ModelFile, ...]
    goldens: tuple[ModelFile, ...] = ()
    warmups: tuple[Warmup, ...] = ()
    max_batch_size: int | None = None
    joins: bool = False
    main: str = "model.onnx"

    @property
    def size_bytes(self) -> int:
        """Bytes of the model's files."""
        return sum(file.size_bytes for file in self.files)

    @property
    def blobs(self) -> tuple[ModelFile, ...]:
        """Every file that a node needs: model files, goldens, warm-up data."""
        warm = (i.file for w in self.warmups for i in w.inputs if i.file is not None)
        return (*self.files, *self.goldens, *warm)


@dataclass(frozen=True, slots=True)
class LatencyCurve:
    """Seconds that a node takes for a batch, by rows: measured points, joined by lines.

    Points are in ascending order of rows. Beyond the last point the curve goes on with
    the slope of its last segment. It is never below its first point: no batch is faster than
    the smallest one, whatever a noisy measurement says.

    Each batch ran on `threads` threads, beside as many others of its kind as the node's
    cores hold; 0 is the node's own default.
    """

    points: tuple[tuple[int, float], ...]
    threads: int = 0

    def seconds(self, rows: int) -> float:
        """Return the expected seconds for a batch of `rows` rows."""
        points = self.points
        if len(points) == 1 or rows <= points[0][0]:
            return points[0][1] * max(rows / points[0][0], 1.0)
        right = min(bisect_left(points, (rows, 0.0)), len(points) - 1)
        (rows_a, seconds_a), (rows_b, seconds_b) = points[right - 1], points[right]
        slope = (seconds_b - seconds_a) / (rows_b - rows_a)
        return max(seconds_a + slope * (rows - rows_a), points[0][1])

    def scaled(self, factor: float) -> "LatencyCurve":
        """Return the curve of a node that takes `factor` times as long."""
        if factor == 1.0:
            return self
        return LatencyCurve(
            tuple((rows, seconds * factor) for rows, seconds in self.points), self.threads
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelReport:
    """What a node found out about a model in a child process: the basis of its spec.

    Inputs that the model has a default for are `optional`. `max_batch_size` and `joins` are
    those of `ModelSpec`.
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    max_batch_size: int
    joins: bool
    batching_reason: str
    goldens_checked: int
