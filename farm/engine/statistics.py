"""What every version has done since it was first loaded, counted as Triton counts it.

`success`, `fail` and `queue` count requests. The `compute_*` durations count requests too:
each one is charged the whole time of the batch it rode in. `batches` counts executions by
rows, and an execution's time once. All are true counts; nothing is sampled.
"""

from dataclasses import dataclass, field

from farm.core.models import ModelKey
from farm.core.requests import BatchTiming, LedgerEntry, Receipt
from farm.core.statistics import VersionCounts


@dataclass(slots=True)
class Duration:
    """How often something happened and the nanoseconds it took in all."""

    count: int = 0
    ns: int = 0

    def add(self, ns: int, count: int = 1) -> None:
        self.count += count
        self.ns += ns


@dataclass(slots=True)
class ComputeStatistics:
    """The three parts of a batch on a node: bytes to arrays, the session, arrays to bytes."""

    input: Duration = field(default_factory=Duration)
    infer: Duration = field(default_factory=Duration)
    output: Duration = field(default_factory=Duration)

    def add(self, timing: BatchTiming, times: int = 1) -> None:
        """Count one batch's timing `times` times."""
        self.input.add(timing.input_ns * times, times)
        self.infer.add(timing.infer_ns * times, times)
        self.output.add(timing.output_ns * times, times)


@dataclass(slots=True)
class VersionStatistics:
    """One version's counts. `inferences` counts answered rows, `executions` batches."""

    success: Duration = field(default_factory=Duration)
    fail: Duration = field(default_factory=Duration)
    queue: Duration = field(default_factory=Duration)
    compute: ComputeStatistics = field(default_factory=ComputeStatistics)
    inferences: int = 0
    executions: int = 0
    last_inference_unix_ms: int = 0
    batches: dict[int, ComputeStatistics] = field(default_factory=dict)

    def answered(self, *, rows: int, latency_s: float, receipt: Receipt) -> None:
        """Count a request that got its answer, `latency_s` after it arrived."""
        self.success.add(round(latency_s * 1e9))
        self.queue.add(round(receipt.queue_s * 1e9))
        self.inferences += rows

    def refused(self, *, latency_s: float) -> None:
        """Count an accepted request that got an error."""
        self.fail.add(round(latency_s * 1e9))

    def settled(self, entry: LedgerEntry, *, unix_ns: int) -> None:
        """Count a batch that a node ran; one that failed was no execution."""
        if entry.timing is None:
            return
        self.executions += 1
        self.last_inference_unix_ms = unix_ns // 1_000_000
        self.compute.add(entry.timing, entry.requests)
        self.batches.setdefault(entry.rows, ComputeStatistics()).add(entry.timing)

    def counts(self, key: ModelKey, *, pending: int) -> VersionCounts:
        """Return the counts of the version of this key as they are now."""
        return VersionCounts(
            model=key,
            success=self.success.count,
            failure=self.fail.count,
            inferences=self.inferences,
            executions=self.executions,
            pending=pending,
            request_ns=self.success.ns,
            queue_ns=self.queue.ns,
            compute_input_ns=self.compute.input.ns,
            compute_infer_ns=self.compute.infer.ns,
            compute_output_ns=self.compute.output.ns,
        )
