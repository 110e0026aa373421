"""What every version, and every node, has done, counted as Triton counts it.

`success`, `fail` and `queue` count requests. The `compute_*` durations count requests too:
each one is charged the whole time of the batch it rode in. `batches` counts executions by
rows, and an execution's time once. All are true counts; nothing is sampled.
"""

from bisect import bisect_left
from collections import deque
from dataclasses import dataclass, field

from farm.core.errors import ErrorCode
from farm.core.ledger import LATENCY_BOUNDS_S
from farm.core.models import ModelKey
from farm.core.node_details import NodeFailure
from farm.core.requests import BatchTiming, LedgerEntry, Receipt
from farm.core.snapshots import NodeWork
from farm.core.statistics import VersionCounts

# Of each node: a screenful.
_FAILURES = 50


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
    """One version's counts since it was first loaded.

    `inferences` counts answered rows, `executions` batches, `latencies` answers by
    `LATENCY_BOUNDS_S`.
    """

    success: Duration = field(default_factory=Duration)
    fail: Duration = field(default_factory=Duration)
    queue: Duration = field(default_factory=Duration)
    compute: ComputeStatistics = field(default_factory=ComputeStatistics)
    inferences: int = 0
    executions: int = 0
    last_inference_unix_ms: int = 0
    batches: dict[int, ComputeStatistics] = field(default_factory=dict)
    latencies: list[int] = field(default_factory=lambda: [0] * (len(LATENCY_BOUNDS_S) + 1))

    def answered(self, *, rows: int, latency_s: float, receipt: Receipt) -> None:
        """Count a request that got its answer, `latency_s` after it arrived."""
        self.success.add(round(latency_s * 1e9))
        self.latencies[bisect_left(LATENCY_BOUNDS_S, latency_s)] += 1
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


@dataclass(slots=True)
class NodeStatistics:
    """One node's counts since the gateway began; `joules` are as its batches' receipts say.

    `failed` are the latest batches that it did not complete, the newest last.
    """

    answers: int = 0
    batches: int = 0
    rows: int = 0
    failures: int = 0
    compute_s: float = 0.0
    joules: float = 0.0
    failed: deque[NodeFailure] = field(default_factory=lambda: deque(maxlen=_FAILURES))

    def settled(self, entry: LedgerEntry) -> None:
        """Count a batch that came back; a node that had no room did nothing."""
        if entry.timing is not None:
            self.answers += entry.requests
            self.batches += 1
            self.rows += entry.rows
            self.compute_s += entry.compute_s
            if entry.energy is not None:
                self.joules += entry.energy.joules
        elif entry.outcome != ErrorCode.NODE_BUSY:
            self.failures += 1

    def work(self) -> NodeWork:
        """Return the counts as they are now."""
        return NodeWork(
            answers_total=self.answers,
            batches_total=self.batches,
            rows_total=self.rows,
            failures_total=self.failures,
            compute_s=self.compute_s,
            joules=self.joules,
        )
