"""A node without its transport: files in, models ready, batches run, vitals out."""

from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from os import getpid
from platform import machine, node
from threading import Lock
from types import MappingProxyType
from uuid import uuid4

from farm.core.actor_messages import (
    CallHead,
    Reply,
    Timing,
    decode_call,
    encode_failure,
    encode_reply,
    encode_success,
)
from farm.core.errors import (
    ExecutionFailedError,
    FarmError,
    IntegrityError,
    InternalError,
    InvalidRequestError,
    ModelUnavailableError,
    NodeBusyError,
    RequestCancelledError,
)
from farm.core.models import LatencyCurve, ModelArtifact, ModelReport
from farm.core.nodes import NodeProfile, NodeVitals
from farm.node import probes
from farm.node.affinity import Affinity
from farm.node.capacity import Capacity
from farm.node.cordon import Cordon
from farm.node.cpu_load import CpuLoad
from farm.node.execution import Members, run_call
from farm.node.exercise import Exercise
from farm.node.isolation import Isolation
from farm.node.memory import bound_memory
from farm.node.meters.gauge import Metered
from farm.node.meters.selection import power_meter
from farm.node.models import NodeModels
from farm.node.sessions import OutOfMemoryError
from farm.node.settings import NodeSettings
from farm.node.shortage import Shortage
from farm.node.throttling import ThrottleProbe

# Another node may have the model whole, or room for it, or a protocol for the call.
_NOT_THE_REQUESTS_FAULT = (
    ModelUnavailableError,
    IntegrityError,
    RequestCancelledError,
    NodeBusyError,
    InternalError,
)

# Opening a model for a suspect may take as long, and running it: together less than the
# minute after which gateways suspect a node over a batch of which nothing is predicted.
_ISOLATED_S = 25.0

# Of the machine's memory, free for a child that waits for suspects: it takes 24 MB of its own.
_SPARE_SHARE = 0.25

# Cancelled calls that are remembered; a node has a handful at a time.
_MAX_UNWANTED = 256

_NOTHING: Mapping[str, bytes] = MappingProxyType({})


class NodeService:
    """One node.

    `infer` and `probe` may run on several threads at once; the rest on one thread each.
    """

    def __init__(self, settings: NodeSettings) -> None:
        self._settings = settings
        self.incarnation = uuid4().hex[:12]
        self._models = NodeModels(settings)
        self._capacity = Capacity(
            threads=settings.capacity, lookahead=settings.capacity * settings.lookahead
        )
        self._affinity = Affinity(settings.cores)
        # The child is one, so suspects take turns; they need threads only while they run.
        self._turns = Capacity(threads=1, lookahead=settings.lookahead)
        self._cordon = Cordon(settings.cache_dir)
        self._exercise = Exercise()
        self._load = CpuLoad()
        self._shortage = Shortage()
        self._throttle = ThrottleProbe()
        self._unwanted: deque[str] = deque(maxlen=_MAX_UNWANTED)
        self._isolation = Isolation(timeout_s=_ISOLATED_S, unwanted=self._unwanted)
        self._counting = Lock()
        self._batches = 0
        self._rows = 0
        self._failures = 0
        self._meter = power_meter(settings.meter, probes.read_board())
        if self._meter is not None:
            self._meter.start()

    def describe(self) -> NodeProfile:
        """Return what stays true while this process lives."""
        settings = self._settings
        return NodeProfile(
            node_id=settings.node_id,
            incarnation=self.incarnation,
            slots=settings.slots,
            threads_per_slot=settings.threads_per_slot,
            lookahead=settings.lookahead,
            host=node(),
            pid=getpid(),
            board=settings.board or probes.read_board(),
            cpu_class=probes.read_cpu_class(),
            architecture=machine(),
            cores=probes.core_count(),
            runtime_version=_runtime_version(),
            splits=settings.splits,
            meter_interval_s=self._meter.interval_s if self._meter is not None else 1.0,
        )

    def vitals(self) -> NodeVitals:
        """Return one heartbeat; what this process may allocate follows the machine's memory."""
        total, available = probes.memory_bytes()
        bound_memory(available)
        self._models.rest(
            short_of_memory=self._shortage.begins(total_bytes=total, available_bytes=available)
        )
        self._isolation.rest(spare=bool(self._models.digests) and available >= total * _SPARE_SHARE)
        running = self._capacity.running
        throttle = self._throttle.read(busy=running > 0 or self._exercise.loads)
        metered = self._meter.tell() if self._meter is not None else Metered()
        return NodeVitals(
            incarnation=self.incarnation,
            # A suspect whose model is being opened is under way too: `drain` must wait for it.
            slots_busy=max(running, self._turns.running),
            cpu_fraction=self._load.read(),
            memory_total_bytes=total,
            memory_available_bytes=available,
            temperature_c=probes.temperature_c(),
            clock_hz=probes.clock_hz(),
            batches_total=self._batches,
            rows_total=self._rows,
            failures_total=self._failures,
            digests=self._models.digests,
            throttle_flags=throttle.flags,
            speed=throttle.speed,
            cordoned=self.cordoned,
            meter=metered.meter,
            metered_j=metered.metered_j,
            metered_s=metered.metered_s,
            power_w=metered.power_w,
            meter_fault=metered.meter_fault,
        )

    @property
    def cordoned(self) -> bool:
        """Whether this node is out of service. It still runs what it is sent.

        An operator took it out, or it is under an exercise.
        """
        return self._cordon.drawn or self._exercise.under_way

    def exercise(self, load: float, seconds: float) -> None:
        """Keep the node from new batches and its host at a load (0 to 1) for so long.

        What was asked before is over then; `seconds` of 0 ask for nothing more.

        Raises:
            InvalidRequestError: there is no such load, or so much time.
            InternalError: no process could be had for it.
        """
        self._exercise.begin(load, seconds)

    def set_cordon(self, *, cordoned: bool) -> None:
        """Remember, over restarts, whether this node takes new batches.

        Raises:
            InternalError: its disk does not take it.
        """
        try:
            self._cordon.draw(cordoned=cordoned)
        except OSError as error:
            raise InternalError(
                f"the node cannot write its cordon down ({error.strerror}); free or repair its disk"
            ) from error

    def expect_models(self) -> None:
        """Get ready for models that are about to come, so that the first one loads sooner."""
        self._models.expect()

    def missing_files(self, artifact: ModelArtifact) -> tuple[str, ...]:
        """Return the digests of those of a model's files that must still be sent.

        Raises:
            ModelUnavailableError: the model is too large for this node.
        """
        return self._models.missing(artifact)

    def receive(self, sha256: str, offset: int, chunk: bytes, last: bool) -> None:
        """Take a chunk of a file; the last one makes it available.

        Raises:
            IntegrityError: the chunks do not add up to the digest.
        """
        self._models.receive(sha256, offset, chunk, last)

    def load(
        self, artifact: ModelArtifact, contents: Mapping[str, bytes] = _NOTHING
    ) -> ModelReport:
        """Verify, qualify in a child process, open and warm up a model.

        `contents` holds whole files by digest, for a model too small to be sent in chunks.

        Raises:
            IntegrityError: a file is missing or damaged.
            ModelUnavailableError: the model must not be served here.
        """
        return self._models.load(artifact, contents)

    def measure(self, digest: str, threads: int = 0) -> LatencyCurve | None:
        """Return a model's curve with so many `threads` a batch, 0 for the node's default.

        None where sample rows do not run on it.

        Raises:
            ModelUnavailableError: the model is not here, or failed.
        """
        return self._models.measure(digest, threads)

    def unload(self, digest: str) -> None:
        """Forget a model. A batch that runs now ends its run."""
        self._models.unload(digest)

    def close(self) -> None:
        """End what this node started."""
        self._exercise.close()
        if self._meter is not None:
            self._meter.close()
        self._isolation.close()
        self._models.close()

    def cancel(self, call_id: str) -> None:
        """Do not run a call that has not begun, and end one that runs isolated.

        Any other that runs, or ran, is not affected.
        """
        self._unwanted.append(call_id)
        self._isolation.cancel(call_id)

    def probe(self, digest: str) -> None:
        """Run a sample row of a model as a batch would run; without a digest, only wait for it.

        A model that sample rows do not suit has run all the same, and one whose rows are too
        large to try has been opened.

        Raises:
            ModelUnavailableError: the model is not here.
            IntegrityError: its files were changed since they were stored.
        """
        with self._capacity.held(self._settings.threads_per_slot, patient=True):
            if digest:
                session = self._models.session(digest[:12], digest)
                sample = self._models.sample(digest, session.inputs)
                with suppress(InvalidRequestError, ExecutionFailedError):
                    if sample is not None:
                        session.run(digest[:12], sample)

    def infer(self, call: bytes, *raws: bytes) -> bytes:
        """Run a batch; failures come back as replies, never as exceptions.

        One that finds all threads taken waits, unless as many wait already: then the reply
        is a retryable `NodeBusyError`, at once.
        """
        failed = True
        rows = 0
        reply: Reply
        self._affinity.apply()
        try:
            head = decode_call(call)
            rows = sum(head.rows or (1,))
            run = self._run_isolated if head.isolated else self._run
            timing, members = run(head, raws, head.threads or self._settings.threads_per_slot)
            reply = encode_success(self.incarnation, timing, members)
            failed = False
        except NodeBusyError as error:
            return encode_reply(encode_failure(self.incarnation, error, retryable=True))
        except FarmError as error:
            # These are this node's fault; another one may have the model whole.
            retryable = isinstance(error, _NOT_THE_REQUESTS_FAULT)
            reply = encode_failure(self.incarnation, error, retryable=retryable)
        except MemoryError:
            short = ExecutionFailedError(
                "there is not enough memory on this node for the batch; send less at once"
            )
            reply = encode_failure(self.incarnation, short, retryable=True)
        except Exception as error:
            # A defect, perhaps of this node alone; another may do better.
            what = InternalError(f"the node failed with {type(error).__name__}")
            reply = encode_failure(self.incarnation, what, retryable=True)
        with self._counting:
            self._batches += 1
            self._rows += rows
            self._failures += failed
        return encode_reply(reply)

    def _run(self, head: CallHead, raws: tuple[bytes, ...], threads: int) -> tuple[Timing, Members]:
        with self._capacity.held(threads):
            self._check_wanted(head)
            session = self._models.session(head.model, head.digest, threads)
            try:
                return run_call(session, head, raws)
            except OutOfMemoryError:
                self._models.close_sessions(head.digest)
                raise

    def _run_isolated(
        self, head: CallHead, raws: tuple[bytes, ...], threads: int
    ) -> tuple[Timing, Members]:
        with self._turns.held(1):
            self._check_wanted(head)
            path = self._models.main_file(head.model, head.digest)
            self._isolation.prepare(path, head, threads=threads)
            with self._capacity.held(threads, patient=True):
                return self._isolation.run(path, head, raws, threads=threads)

    def _check_wanted(self, head: CallHead) -> None:
        if head.call_id in self._unwanted:
            raise RequestCancelledError("the batch was cancelled before it ran")


def _runtime_version() -> str:
    try:
        return version("onnxruntime")
    except PackageNotFoundError:
        return ""
