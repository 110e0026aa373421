"""A node without its transport: files in, models ready, batches run, vitals out."""

from collections import deque
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from os import getpid
from platform import machine, node
from threading import Lock
from time import perf_counter_ns
from types import MappingProxyType
from uuid import uuid4

from farm.core.actor_messages import (
    PROTOCOL,
    CallHead,
    Reply,
    WireTensor,
    decode_call,
    encode_failure,
    encode_reply,
)
from farm.core.errors import (
    FarmError,
    IntegrityError,
    InternalError,
    ModelUnavailableError,
    RequestCancelledError,
)
from farm.core.models import LatencyCurve, ModelArtifact, ModelReport
from farm.core.nodes import NodeProfile, NodeVitals
from farm.node import probes
from farm.node.arrays import split_rows, to_array, to_wire
from farm.node.models import NodeModels
from farm.node.padding import cut_padding, pad_empty
from farm.node.settings import NodeSettings

_NOT_THE_REQUESTS_FAULT = (ModelUnavailableError, IntegrityError, RequestCancelledError)

# Cancelled calls that are remembered; a node has a handful at a time.
_MAX_UNWANTED = 256

_NOTHING: Mapping[str, bytes] = MappingProxyType({})


class NodeService:
    """One node. `infer` may run on several threads at once; the rest on one thread each."""

    def __init__(self, settings: NodeSettings) -> None:
        self._settings = settings
        self.incarnation = uuid4().hex[:12]
        self._models = NodeModels(settings)
        self._unwanted: deque[str] = deque(maxlen=_MAX_UNWANTED)
        self._counting = Lock()
        self._busy = 0
        self._batches = 0
        self._rows = 0
        self._failures = 0

    def describe(self) -> NodeProfile:
        """Return what stays true while this process lives."""
        settings = self._settings
        return NodeProfile(
            node_id=settings.node_id,
            incarnation=self.incarnation,
            slots=settings.slots,
            threads_per_slot=settings.threads_per_slot,
            host=node(),
            pid=getpid(),
            board=probes.read_board(),
            cpu_class=probes.read_cpu_class(),
            architecture=machine(),
            cores=probes.core_count(),
            runtime_version=_runtime_version(),
        )

    def vitals(self) -> NodeVitals:
        """Return one heartbeat."""
        self._models.rest()
        total, available = probes.memory_bytes()
        return NodeVitals(
            incarnation=self.incarnation,
            slots_busy=self._busy,
            cpu_fraction=probes.cpu_fraction(),
            memory_total_bytes=total,
            memory_available_bytes=available,
            temperature_c=probes.temperature_c(),
            clock_hz=probes.clock_hz(),
            batches_total=self._batches,
            rows_total=self._rows,
            failures_total=self._failures,
            digests=self._models.digests,
        )

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

    def measure(self, digest: str) -> LatencyCurve | None:
        """Return a model's latency curve, or None where sample rows do not run on it.

        Raises:
            ModelUnavailableError: the model is not here, or failed.
        """
        return self._models.measure(digest)

    def unload(self, digest: str) -> None:
        """Forget a model. A batch that runs now ends its run."""
        self._models.unload(digest)

    def close(self) -> None:
        """End what this node started."""
        self._models.close()

    def cancel(self, call_id: str) -> None:
        """Do not run a call that has not begun; one that runs, or ran, is not affected."""
        self._unwanted.append(call_id)

    def infer(self, call: bytes, *raws: bytes) -> bytes:
        """Run a batch; failures come back as replies, never as exceptions."""
        with self._counting:
            self._busy += 1
        failed = True
        rows = 0
        reply: Reply
        try:
            head = decode_call(call)
            rows = sum(head[3] or (1,))
            reply = self._infer(head, raws)
            failed = False
        except FarmError as error:
            # These are this node's fault; another one may have the model whole.
            retryable = isinstance(error, _NOT_THE_REQUESTS_FAULT)
            reply = encode_failure(self.incarnation, error, retryable=retryable)
        except Exception as error:
            # A defect, perhaps of this node alone; another may do better.
            what = InternalError(f"the node failed with {type(error).__name__}")
            reply = encode_failure(self.incarnation, what, retryable=True)
        finally:
            with self._counting:
                self._busy -= 1
                self._batches += 1
                self._rows += rows
                self._failures += failed
        return encode_reply(reply)

    def _infer(self, head: CallHead, raws: tuple[bytes, ...]) -> Reply:
        started = perf_counter_ns()
        _, model, digest, rows, tensors, call_id = head
        if call_id in self._unwanted:
            raise RequestCancelledError("the batch was cancelled before it ran")
        session = self._models.session(model, digest)
        feeds = {
            name: to_array(name, datatype, shape, raw)
            for (name, datatype, shape), raw in zip(tensors, raws, strict=True)
        }
        empty = rows is not None and not any(rows)
        if empty:
            feeds = pad_empty(feeds)
        prepared = perf_counter_ns()
        outputs = session.run(model, feeds)
        ran = perf_counter_ns()
        if empty:
            outputs = cut_padding(outputs)
        names = session.output_names
        members: tuple[tuple[WireTensor, ...], ...]
        if rows is None:
            members = (tuple(map(to_wire, names, outputs)),)
        else:
            members = split_rows(names, outputs, rows)
        timing = (prepared - started, ran - prepared, perf_counter_ns() - ran)
        return ("ok", PROTOCOL, self.incarnation, timing, members)


def _runtime_version() -> str:
    try:
        return version("onnxruntime")
    except PackageNotFoundError:
        return ""
