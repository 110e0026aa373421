"""What a model version has done, at one moment."""

from dataclasses import dataclass

from farm.core.models import ModelKey


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionCounts:
    """Counts since a version was loaded, as Triton counts.

    `success` and `failure` are requests, `inferences` answered rows, `executions` batches,
    `pending` the requests that wait now. `request_ns` and `queue_ns` are of answered requests;
    of the three `compute_*_ns` each request is charged the whole of its batch.
    """

    model: ModelKey
    success: int
    failure: int
    inferences: int
    executions: int
    pending: int
    request_ns: int
    queue_ns: int
    compute_input_ns: int
    compute_infer_ns: int
    compute_output_ns: int
