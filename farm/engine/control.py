"""Loads and unloads while the farm serves: what operators ask for, or a changed folder.

A model's requests never notice more than they must. A load prepares every eligible ready
node beside what is served, then switches all of them at once; one that fails changes
nothing. What is retired answers the requests it accepted before its nodes forget it.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import structlog

from farm.core.clock import Clock
from farm.core.errors import (
    ConfigurationError,
    FarmError,
    IntegrityError,
    LoadFailedError,
    ModelNotFoundError,
    ModelUnavailableError,
    UnsupportedError,
)
from farm.core.models import ModelKey, ModelSpec
from farm.engine.catalog import EXCLUDED, UNLOADED, Catalog, Version
from farm.engine.distribution import Distribution
from farm.engine.engine import Engine
from farm.engine.fleet import Fleet
from farm.repository.listing import ModelListing
from farm.repository.repository import ModelOverride, Repository, Wish
from farm.scheduling.events import ModelChanged

_log = structlog.get_logger()

# How long accepted requests of a retired version may take to be answered.
_RETIRE_TIMEOUT_S = 60.0

# What a repository or a node may find wrong with a model.
_REFUSALS = (ModelUnavailableError, IntegrityError, ConfigurationError, UnsupportedError)


@dataclass(slots=True)
class _Turn:
    """The queue of operations on one model."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0


class ModelControl:
    """Changes what is served. Operations on one model run one after the other."""

    def __init__(
        self,
        *,
        repository: Repository,
        catalog: Catalog,
        fleet: Fleet,
        engine: Engine,
        clock: Clock,
        polled: bool = False,
    ) -> None:
        self._repository = repository
        self._catalog = catalog
        self._fleet = fleet
        self._engine = engine
        self._clock = clock
        self._polled = polled
        self._turns: dict[str, _Turn] = {}
        self._running: set[asyncio.Task[None]] = set()

    def begin(self, listings: Iterable[ModelListing]) -> None:
        """Make what was found at the start what is wanted, before any node has joined."""
        for listing in listings:
            wish = self._repository.wish(listing.name)
            if wish is None or wish.loaded:
                self._catalog.put(listing)
            else:
                self._catalog.enter(listing.name).refusal = UNLOADED

    async def load(
        self, name: str, *, config: str | None = None, files: Mapping[str, bytes] | None = None
    ) -> None:
        """Load a model, or load it anew, on every eligible ready node.

        `config` is JSON that stands for its config file; `files` are what the model is made
        of instead of the repository's, by path such as `1/model.onnx`. Goes on to its end
        even if the caller goes away.

        Raises:
            ModelNotFoundError: the repository has no such model.
            InvalidRequestError: the override is malformed.
            LoadFailedError: the model is refused; what was served before is served still.
            ConfigurationError: the repository is polled, so nothing is loaded by hand.
        """
        self._refuse_if_polled()
        override = None
        if config is not None or files:
            override = ModelOverride(config=config, files=files or {})
        await self._to_the_end(self._load(name, override, by_hand=True), f"load {name}")

    async def unload(self, name: str) -> None:
        """Stop serving a model; requests that were accepted are answered first.

        Raises:
            ModelNotFoundError: there is no such model.
            ConfigurationError: the repository is polled.
        """
        self._refuse_if_polled()
        await self._to_the_end(self._unload(name, by_hand=True), f"unload {name}")

    async def follow(self, interval_s: float) -> None:
        """Load and unload what changes in the repository, until cancelled."""
        while True:
            await asyncio.sleep(interval_s)
            try:
                changed = await asyncio.to_thread(self._repository.changed)
            except FarmError as error:
                _log.warning("poll_failed", reason=error.message)
                continue
            for name in sorted(changed):
                await self._follow_up(name)

    async def close(self) -> None:
        """Abandon what still runs."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _follow_up(self, name: str) -> None:
        try:
            await self._load(name, None, by_hand=False)
        except ModelNotFoundError:
            await self._unload(name, by_hand=False)
            self._catalog.remove(name)
            _log.info("model_removed", model=name)
        except FarmError as error:
            _log.warning("reload_failed", model=name, reason=error.message)

    async def _load(self, name: str, override: ModelOverride | None, *, by_hand: bool) -> None:
        async with self._turn(name):
            begun_at = self._clock.monotonic()
            listing = await self._list(name, override)
            model = self._catalog.enter(name)
            distribution = Distribution(
                self._fleet,
                listing.available,
                progress=lambda text: setattr(model, "progress", text),
            )
            try:
                with self._fleet.pinned(distribution.digests):
                    _check(listing)
                    specs = await distribution.run()
                    if by_hand:
                        wish = Wish(loaded=True, override=override)
                        await asyncio.to_thread(self._repository.record, name, wish)
                        # A node may have become ready while the disk was written.
                        specs = await distribution.run()
                    retired = self._switch(listing, distribution, specs)
            except FarmError as error:
                for digest in distribution.digests:
                    await self._fleet.release(digest)
                if isinstance(error, _REFUSALS):
                    raise self._failed(name, error) from error
                raise
            finally:
                model.progress = ""
                await self._tidy(name)
            await self._retire(retired)
            seconds = round(self._clock.monotonic() - begun_at, 2)
            for warning in listing.warnings:
                _log.warning("repository", warning=warning)
            _log.info("model_loaded", model=name, versions=len(specs), seconds=seconds)

    async def _list(self, name: str, override: ModelOverride | None) -> ModelListing:
        try:
            return await asyncio.to_thread(self._repository.scan_model, name, override)
        except _REFUSALS as error:
            raise self._failed(name, error) from error

    def _failed(self, name: str, error: FarmError) -> LoadFailedError:
        """Note that a load failed and return what its caller is told."""
        model = self._catalog.enter(name)
        serving = any(version.spec is not None for version in model.versions.values())
        if serving:
            model.complaint = f"the last load failed: {error.message}"
        elif not model.versions:
            model.refusal = error.message
        after = "; what was served before is served still" if serving else ""
        return LoadFailedError(f"model '{name}' was not loaded: {error.message}{after}")

    def _switch(
        self, listing: ModelListing, distribution: Distribution, specs: Iterable[ModelSpec]
    ) -> list[Version]:
        """Serve the new versions from now on; return the old ones that must be retired.

        All in one turn of the loop, so that no request falls between the two.
        """
        before = self._catalog.model(listing.name)
        old = list(before.versions.values()) if before is not None else []
        specs = tuple(specs)
        self._catalog.put(listing, specs)
        distribution.commit()
        for spec in specs:
            self._engine.post(ModelChanged(spec.key, spec))
        kept = {(spec.key, spec.digest) for spec in specs}
        return [v for v in old if v.spec is not None and (v.key, v.digest) not in kept]

    async def _unload(self, name: str, *, by_hand: bool) -> None:
        async with self._turn(name):
            model = self._catalog.model(name)
            if model is None:
                raise ModelNotFoundError(
                    f"there is no model '{name}' on this farm; `farm models ls` lists those there"
                    " are"
                )
            if by_hand:
                wish = Wish(loaded=False, override=None)
                await asyncio.to_thread(self._repository.record, name, wish)
            model.unloading = True
            old = list(model.versions.values())
            await self._retire([version for version in old if version.spec is not None])
            digests = {version.digest for version in old if version.available is not None}
            model.versions, model.unloading, model.complaint = {}, False, ""
            model.refusal = UNLOADED
            for digest in digests:
                await self._fleet.release(digest)
            await self._tidy(name)
            _log.info("model_unloaded", model=name)

    async def _tidy(self, name: str) -> None:
        """Let the repository forget what no version of a model is made of any more."""
        model = self._catalog.model(name)
        versions = model.versions.values() if model is not None else ()
        keep = [version.artifact for version in versions if version.artifact is not None]
        await asyncio.to_thread(self._repository.forget, name, keep)

    async def _retire(self, versions: Iterable[Version]) -> None:
        """Let versions answer what they accepted, then take them off the nodes."""
        for version in versions:
            await self._finish(version.key, version.digest)
            known = self._catalog.version(version.key)
            model = self._catalog.model(version.key.name)
            leaving = model is None or model.unloading
            if known is None or known.spec is None or leaving:
                self._engine.post(ModelChanged(version.key, None))
                self._engine.forget(version.key)
            await self._fleet.release(version.digest)

    async def _finish(self, key: ModelKey, digest: str) -> None:
        """Wait until nothing of a version waits or runs, for a while at most."""
        replaced = (known := self._catalog.version(key)) is not None and known.digest != digest
        try:
            async with asyncio.timeout(_RETIRE_TIMEOUT_S):
                await self._engine.reached(
                    lambda machine: (
                        machine.inflight_of(digest) == 0 and (replaced or not machine.queued(key))
                    )
                )
        except TimeoutError:
            _log.warning("retired_with_requests", model=str(key), seconds=_RETIRE_TIMEOUT_S)

    def _refuse_if_polled(self) -> None:
        if self._polled:
            raise ConfigurationError(
                "this farm follows its model repository by itself; change the folder, or start the"
                " farm with repository.control: explicit to load and unload by hand"
            )

    @asynccontextmanager
    async def _turn(self, name: str) -> AsyncIterator[None]:
        """Wait for the operations on this model that were asked for before."""
        turn = self._turns.setdefault(name, _Turn())
        turn.waiting += 1
        try:
            async with turn.lock:
                yield
        finally:
            turn.waiting -= 1
            if not turn.waiting:
                self._turns.pop(name, None)

    async def _to_the_end(self, operation: Coroutine[Any, Any, None], name: str) -> None:
        """Run an operation that must not stop half-way because its caller has gone."""
        task = asyncio.create_task(operation, name=name)
        self._running.add(task)
        task.add_done_callback(self._ended)
        await asyncio.shield(task)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            reason = error.message if isinstance(error, FarmError) else type(error).__name__
            _log.warning("operation_failed", operation=task.get_name(), reason=reason)


def _check(listing: ModelListing) -> None:
    """Raise `ModelUnavailableError` unless every version that should be served can be."""
    refused = [r for r in listing.refused if r.reason != EXCLUDED]
    if listing.refusal:
        raise ModelUnavailableError(listing.refusal)
    if refused:
        raise ModelUnavailableError("; ".join(version.reason for version in refused))
    if not listing.available:
        raise ModelUnavailableError("no version of it is to be served; check its version_policy")
