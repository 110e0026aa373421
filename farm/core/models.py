"""Models as the farm serves them, and the curve that says what a batch of one costs."""

from bisect import bisect_left
from dataclasses import dataclass
from enum import StrEnum

from farm.core.tensors import TensorSpec


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
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """A version that may be served.

    `max_batch_size` counts rows along axis 0; 0 means that the model has no batch axis
    and every request runs by itself. `batching_reason` says how that was decided.
    """

    key: ModelKey
    digest: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    max_batch_size: int
    batching_reason: str = ""

    @property
    def batched(self) -> bool:
        """Whether axis 0 of every tensor is a batch of independent rows."""
        return self.max_batch_size > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFile:
    """A file of a version: its path inside the version's folder, digest and size."""

    path: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelArtifact:
    """What travels to a node: the files a digest names, and goldens to check them with.

    `digest` covers `files` alone, so better goldens do not make it another model.
    `max_batch_size` is what the model's config asks for, or None to let the node find out.
    """

    key: ModelKey
    digest: str
    files: tuple[ModelFile, ...]
    goldens: tuple[ModelFile, ...] = ()
    max_batch_size: int | None = None


@dataclass(frozen=True, slots=True)
class LatencyCurve:
    """Seconds that a node takes for a batch, by rows: measured points, joined by lines.

    Points are in ascending order of rows. Beyond the last point the curve goes on with
    the slope of its last segment. It is never below its first point: no batch is faster than
    the smallest one, whatever a noisy measurement says.
    """

    points: tuple[tuple[int, float], ...]

    def seconds(self, rows: int) -> float:
        """Return the expected seconds for a batch of `rows` rows."""
        points = self.points
        if len(points) == 1 or rows <= points[0][0]:
            return points[0][1] * max(rows / points[0][0], 1.0)
        right = min(bisect_left(points, (rows, 0.0)), len(points) - 1)
        (rows_a, seconds_a), (rows_b, seconds_b) = points[right - 1], points[right]
        slope = (seconds_b - seconds_a) / (rows_b - rows_a)
        return max(seconds_a + slope * (rows - rows_a), points[0][1])


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelReport:
    """What a node found out about a model in a child process: the basis of its spec."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    max_batch_size: int
    batching_reason: str
    curve: LatencyCurve | None
    goldens_checked: int
