"""A node without its transport: files in, models ready, batches run, vitals out."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from os import getpid
from pathlib import Path
from platform import machine, node
from threading import Lock
from time import perf_counter_ns
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
from farm.core.errors import FarmError, IntegrityError, InternalError, ModelUnavailableError
from farm.core.models import ModelArtifact, ModelFile, ModelReport
from farm.core.nodes import NodeProfile, NodeVitals
from farm.node import probes
from farm.node.arrays import split_rows, to_array, to_wire
from farm.node.qualifier import Qualifier
from farm.node.sessions import Session, SessionCache
from farm.node.settings import NodeSettings
from farm.node.store import ModelStore, verify

_QUALIFIER_IDLE_S = 3.0
_MODEL_FILE = "model.onnx"


@dataclass(frozen=True, slots=True)
class _Ready:
    """A model this node may run: its main file, and every file with its digest."""

    path: Path
    files: tuple[tuple[Path, str], ...]


class NodeService:
    """One node. `infer` may run on several threads at once; the rest on one thread each."""

    def __init__(self, settings: NodeSettings) -> None:
        self._settings = settings
        self.incarnation = uuid4().hex[:12]
        self._store = ModelStore(settings.cache_dir, max_bytes=settings.max_store_bytes)
        self._sessions = SessionCache(
            max_sessions=settings.max_sessions,
            max_bytes=settings.max_session_bytes,
        )
        self._qualifier = Qualifier(
            threads=settings.threads_per_slot,
            timeout_s=settings.qualify_timeout_s,
            curve_budget_s=settings.curve_budget_s,
        )
        self._qualifying = Lock()
        self._ready: dict[str, _Ready] = {}
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
        if self._qualifying.acquire(blocking=False):
            try:
                self._qualifier.close(idle_s=_QUALIFIER_IDLE_S)
            finally:
                self._qualifying.release()
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
            digests=tuple(self._ready),
        )

    def missing_files(self, sizes: Mapping[str, int]) -> tuple[str, ...]:
        """Return which of a model's files, given with their bytes, must still be sent.

        Raises:
            ModelUnavailableError: they do not fit in the store.
        """
        return self._store.missing(sizes)

    def receive(self, sha256: str, offset: int, chunk: bytes, last: bool) -> None:
        """Take a chunk of a file; the last one makes it available.

        Raises:
            IntegrityError: the chunks do not add up to the digest.
        """
        self._store.append(sha256, offset, chunk)
        if last:
            self._store.commit(sha256)

    def load(self, artifact: ModelArtifact) -> ModelReport:
        """Verify, qualify in a child process, and open a model.

        Raises:
            IntegrityError: a file is missing or damaged.
            ModelUnavailableError: the model must not be served here.
        """
        with self._qualifying:
            self._ready.pop(artifact.digest, None)
            try:
                folder = self._store.install(artifact)
                main = next((f for f in artifact.files if f.path == _MODEL_FILE), None)
                if main is None:
                    raise ModelUnavailableError(f"the version has no file '{_MODEL_FILE}'")
                report = self._qualifier.qualify(
                    folder / main.path,
                    goldens=[folder / file.path for file in self._own_goldens(artifact)],
                    max_batch_size=artifact.max_batch_size,
                )
                ready = _Ready(
                    path=folder / main.path,
                    files=tuple((folder / file.path, file.sha256) for file in artifact.files),
                )
                self._session(artifact.digest, ready)
            except FarmError:
                self._store.remove(artifact.digest)
                raise
            self._ready[artifact.digest] = ready
        return report

    def unload(self, digest: str) -> None:
        """Forget a model. A batch that runs now ends its run."""
        self._ready.pop(digest, None)
        self._sessions.drop(digest)
        self._store.remove(digest)

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
            retryable = isinstance(error, ModelUnavailableError | IntegrityError)
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
        _, model, digest, rows, tensors = head
        ready = self._ready.get(digest)
        if ready is None:
            raise ModelUnavailableError(f"model '{model}' is not loaded on this node")
        session = self._session(digest, ready)
        feeds = {
            name: to_array(name, datatype, shape, raw)
            for (name, datatype, shape), raw in zip(tensors, raws, strict=True)
        }
        prepared = perf_counter_ns()
        outputs = session.run(model, feeds)
        ran = perf_counter_ns()
        names = session.output_names
        members: tuple[tuple[WireTensor, ...], ...]
        if rows is None:
            members = (tuple(map(to_wire, names, outputs)),)
        else:
            members = split_rows(names, outputs, rows)
        timing = (prepared - started, ran - prepared, perf_counter_ns() - ran)
        return ("ok", PROTOCOL, self.incarnation, timing, members)

    def _session(self, digest: str, ready: _Ready) -> Session:
        """Return a model's session; its files are verified whenever it is opened anew."""

        def opener() -> tuple[Session, int]:
            for path, sha256 in ready.files:
                verify(path, sha256)
            size_bytes = sum(path.stat().st_size for path, _ in ready.files)
            return Session(ready.path, threads=self._settings.threads_per_slot), size_bytes

        return self._sessions.get(digest, opener)

    def _own_goldens(self, artifact: ModelArtifact) -> list[ModelFile]:
        """Return the goldens of this CPU's class, or those for any where it has none."""
        for folder in (f"golden/{probes.read_cpu_class()}/", "golden/any/"):
            own = [file for file in artifact.goldens if file.path.startswith(folder)]
            if own:
                return own
        return []


def _runtime_version() -> str:
    try:
        return version("onnxruntime")
    except PackageNotFoundError:
        return ""
