"""The models a node holds: loaded, measured, found by a batch, forgotten."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from farm.core.errors import IntegrityError, ModelUnavailableError
from farm.core.models import LatencyCurve, ModelArtifact, ModelFile, ModelKey, ModelReport
from farm.core.tensors import TensorSpec
from farm.goldens import read_golden
from farm.node import probes
from farm.node.arrays import AnyArray
from farm.node.memory import release_memory
from farm.node.qualifier import Qualifier, Trial
from farm.node.rows import Rows
from farm.node.session_cache import SessionCache
from farm.node.sessions import Session
from farm.node.settings import NodeSettings
from farm.node.store import ModelStore, verify
from farm.node.warmups import run_warmup

_QUALIFIER_IDLE_S = 3.0
# Gateways have heard of another split, and have sent what they had formed for the former one.
_FORMER_SPLIT_IDLE_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ready:
    """A digest this node may run: its files, and what its last load tried it with.

    `reports` holds the last load of each version that has these files, and what it found.
    """

    folder: Path
    main: str
    files: tuple[ModelFile, ...]
    trial: Trial
    max_batch_size: int
    reports: Mapping[ModelKey, tuple[ModelArtifact, ModelReport]]

    def verify(self) -> None:
        for file in self.files:
            verify(self.folder / file.path, file.sha256)

    @property
    def intact(self) -> bool:
        """Whether its files are here and as they were sent."""
        try:
            self.verify()
        except (IntegrityError, OSError):
            return False
        return True

    def found(self, artifact: ModelArtifact) -> ModelReport | None:
        """Return what the same load found before, None if none did or a file has changed."""
        last, report = self.reports.get(artifact.key, (None, None))
        return report if last == artifact and self.intact else None


class NodeModels:
    """Models by digest. `session` may be called on any thread, the rest on one at a time.

    Models with the same files share a digest, a folder and a session; goldens and warm-ups
    belong to the load that brought them.
    """

    def __init__(self, settings: NodeSettings) -> None:
        self._settings = settings
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
        # Held while a digest becomes ready or ceases to be: a batch's thread may find it damaged.
        self._changing = Lock()

    @property
    def digests(self) -> tuple[str, ...]:
        """What this node is ready to run."""
        return tuple(self._ready)

    def expect(self) -> None:
        """Get the trial process ready for models that are about to come."""
        with self._qualifying:
            self._qualifier.start()

    def rest(self, *, short_of_memory: bool = False) -> None:
        """End the trial process if it has been idle for a while, and sessions of old splits.

        What closed sessions held, and what loads left behind, goes back to the system. Where
        that is short of memory all sessions are closed; the next batches open theirs anew.
        """
        if short_of_memory:
            self._sessions.empty()
        freed = self._sessions.settle(idle_s=_FORMER_SPLIT_IDLE_S)
        if self._qualifying.acquire(blocking=False):
            try:
                freed |= self._qualifier.close(idle_s=_QUALIFIER_IDLE_S)
            finally:
                self._qualifying.release()
        if freed:
            release_memory()

    def close(self) -> None:
        """End the trial process, and open nothing more."""
        self._sessions.close()
        with self._qualifying:
            self._qualifier.close()

    def missing(self, artifact: ModelArtifact) -> tuple[str, ...]:
        """Return the digests of those of a model's files that are not here yet.

        Raises:
            ModelUnavailableError: the model is too large for this node.
        """
        if artifact.size_bytes > self._settings.max_session_bytes:
            raise ModelUnavailableError(
                f"model '{artifact.key}' has {artifact.size_bytes} bytes, and this node holds"
                f" models of {self._settings.max_session_bytes} bytes at most; raise"
                " max_session_bytes, or serve it on nodes with more memory"
            )
        return self._store.missing({file.sha256: file.size_bytes for file in artifact.blobs})

    def receive(self, sha256: str, offset: int, chunk: bytes, last: bool) -> None:
        """Take a chunk of a file; the last one makes it available.

        Raises:
            IntegrityError: the chunks do not add up to the digest.
            ModelUnavailableError: the file does not fit in the store.
        """
        self._store.append(sha256, offset, chunk)
        if last:
            self._store.commit(sha256)

    def load(self, artifact: ModelArtifact, contents: Mapping[str, bytes]) -> ModelReport:
        """Verify a model, try it in a child process, open it and warm it up.

        `contents` holds files by digest that were not sent in chunks. A digest that is ready
        stays so, with its session and its files, whatever becomes of this load. The very load
        that made it ready finds what it found then, and tries nothing again: so the models of
        a gateway that was restarted serve at once.

        Raises:
            IntegrityError: a file is missing or damaged.
            ModelUnavailableError: the model must not be served here.
        """
        for sha256 in self.missing(artifact):
            if sha256 in contents:
                self.receive(sha256, 0, contents[sha256], True)
        digest = artifact.digest
        with self._qualifying:
            before = self._ready.get(digest)
            if before is not None and (found := before.found(artifact)):
                return found
            staged = self._store.stage(artifact)
            try:
                folder = self._folder(artifact, before)
                trial = Trial(
                    path=folder / artifact.main,
                    folder=staged,
                    goldens=tuple(staged / file.path for file in _own_goldens(artifact)),
                    warmups=artifact.warmups,
                )
                report = self._qualifier.qualify(
                    trial, max_batch_size=artifact.max_batch_size, joins=artifact.joins
                )
                ready = _Ready(
                    folder=folder,
                    main=artifact.main,
                    files=artifact.files,
                    trial=trial,
                    # Another model of the same files may have larger batches.
                    max_batch_size=max(
                        report.max_batch_size, before.max_batch_size if before else 0
                    ),
                    reports={
                        **(before.reports if before else {}),
                        artifact.key: (artifact, report),
                    },
                )
                session = self._session(digest, ready)
                batched = report.max_batch_size > 0
                for warmup in artifact.warmups:
                    run_warmup(session, warmup, staged, batched=batched, count=1)
            except BaseException:
                self._store.discard(staged)
                if before is None:
                    self._forget(digest)
                raise
            with self._changing:
                self._ready[digest] = ready
            if before is not None:
                self._store.discard(before.trial.folder)
        return report

    def measure(self, digest: str, threads: int = 0) -> LatencyCurve | None:
        """Return a model's curve with so many `threads` a batch, 0 for the node's default.

        It is measured in the child process; None where sample rows do not run on it.

        Raises:
            ModelUnavailableError: the model is not here, or failed.
        """
        settings = self._settings
        with self._qualifying:
            ready = self._find(digest, f"with digest {digest[:12]}")
            return self._qualifier.measure(
                ready.trial,
                max_rows=ready.max_batch_size,
                threads=threads or settings.threads_per_slot,
                capacity=settings.capacity,
            )

    def close_sessions(self, digest: str) -> None:
        """Give back what a model's sessions hold; its next batch opens one anew."""
        self._sessions.drop(digest)

    def unload(self, digest: str) -> None:
        """Forget a model. A batch that runs now ends its run."""
        with self._qualifying:
            with self._changing:
                ready = self._ready.pop(digest, None)
            if ready is not None:
                self._store.discard(ready.trial.folder)
            self._forget(digest)

    def session(self, model: str, digest: str, threads: int = 0) -> Session:
        """Return the session of a digest that is ready; `model` names it in errors.

        Its batches run on so many `threads` each, 0 for the node's default.

        Raises:
            ModelUnavailableError: it is not ready.
            IntegrityError: its files were changed since they were stored.
        """
        return self._session(digest, self._find(digest, f"'{model}'"), threads)

    def main_file(self, model: str, digest: str) -> Path:
        """Return the file of a digest that is ready, for another process to open.

        Raises:
            ModelUnavailableError: it is not ready.
            IntegrityError: its files were changed since they were stored.
        """
        ready = self._find(digest, f"'{model}'")
        self._verify(digest, ready)
        return ready.folder / ready.main

    def sample(self, digest: str, inputs: Sequence[TensorSpec]) -> dict[str, AnyArray] | None:
        """Return one row for a model's inputs, a golden's or a random one; None if it is enormous.

        Raises:
            ModelUnavailableError: the model is not ready.
        """
        ready = self._find(digest, f"with digest {digest[:12]}")
        rows = Rows(inputs, [read_golden(path) for path in ready.trial.goldens])
        try:
            return rows.take(1) if ready.max_batch_size else rows.whole()
        except ModelUnavailableError:
            return None

    def _find(self, digest: str, name: str) -> _Ready:
        ready = self._ready.get(digest)
        if ready is None:
            raise ModelUnavailableError(f"model {name} is not loaded on this node; load it first")
        return ready

    def _session(self, digest: str, ready: _Ready, threads: int = 0) -> Session:
        """Return a model's session; its files are verified whenever it is opened anew."""
        threads = threads or self._settings.threads_per_slot

        def opener() -> tuple[Session, int]:
            self._verify(digest, ready)
            size_bytes = sum(file.size_bytes for file in ready.files)
            path = ready.folder / ready.main
            return Session(path, threads=threads), size_bytes

        return self._sessions.get(digest, threads, opener)

    def _verify(self, digest: str, ready: _Ready) -> None:
        """Check a model's files. Where they are damaged this node is ready for it no more.

        Gateways see that by the next heartbeats, and send what is missing.

        Raises:
            IntegrityError: a file was changed since it was stored.
            ModelUnavailableError: a file is gone.
        """
        try:
            ready.verify()
        except (IntegrityError, OSError) as error:
            with self._changing:
                if self._ready.get(digest) is ready:
                    del self._ready[digest]
            # Its next load brings its own.
            self._store.discard(ready.trial.folder)
            if isinstance(error, IntegrityError):
                raise
            raise ModelUnavailableError("the model is not on this node any more") from error

    def _folder(self, artifact: ModelArtifact, before: _Ready | None) -> Path:
        """Return the folder of a model's files: the one they are in, unless it was damaged."""
        if all(file.path != artifact.main for file in artifact.files):
            raise ModelUnavailableError(f"the version has no file '{artifact.main}'")
        if before is None:
            return self._store.install(artifact)
        if before.main != artifact.main:
            raise ModelUnavailableError(
                f"model '{artifact.key}' is to be opened by '{artifact.main}', but the same files"
                f" are served by '{before.main}'; unload those first"
            )
        return before.folder if before.intact else self._store.install(artifact)

    def _forget(self, digest: str) -> None:
        # Files first: whoever opens the session now fails, or is waited for by `drop`.
        self._store.remove(digest)
        self._sessions.drop(digest)
        release_memory()


def _own_goldens(artifact: ModelArtifact) -> list[ModelFile]:
    """Return the goldens of this CPU's class, or those for any where it has none."""
    for folder in (f"golden/{probes.read_cpu_class()}/", "golden/any/"):
        own = [file for file in artifact.goldens if file.path.startswith(folder)]
        if own:
            return own
    return []
