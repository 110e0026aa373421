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
from farm.core.models import ModelSpec
from farm.engine.catalog import UNLOADED, Catalog, Version
from farm.engine.distribution import Distribution
from farm.engine.engine import Engine
from farm.engine.fleet import Fleet
from farm.engine.retirement import Retirement
from farm.engine.supply import Supply
from farm.repository.listing import ModelListing
from farm.repository.repository import ModelOverride, Repository, Wish
from farm.scheduling.events import ModelChanged

_log = structlog.get_logger()

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
        supply: Supply,
        engine: Engine,
        clock: Clock,
        polled: bool = False,
    ) -> None:
        self._repository = repository
        self._catalog = catalog
        self._fleet = fleet
        self._supply = supply
        self._engine = engine
        self._retirement = Retirement(catalog=catalog, fleet=fleet, engine=engine)
        self._clock = clock
        self._polled = polled
        # What each model's config was last warned of, which is said once.
        self._warnings: dict[str, tuple[str, ...]] = {}
        self._turns: dict[str, _Turn] = {}
        self._running: set[asyncio.Task[None]] = set()

    def begin(self, listings: Iterable[ModelListing]) -> None:
        """Make what was found at the start what is wanted, before any node has joined."""
        for listing in listings:
            # Nobody can load by hand what a polled folder holds, so what was wished before
            # does not count.
            wish = None if self._polled else self._repository.wish(listing.name)
            self._warnings[listing.name] = listing.warnings
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

    async def follow(self, name: str) -> None:
        """Serve a model as it lies in the repository now, or no longer if it is gone.

        Raises:
            ModelNotFoundError: there is no such model, neither there nor here.
            FarmError: it is refused; what was served before is served still.
        """
        try:
            await self._load(name, None, by_hand=False)
        except ModelNotFoundError:
            await self._unload(name, by_hand=False)
            self._catalog.remove(name)

    async def close(self) -> None:
        """Abandon what still runs."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _load(self, name: str, override: ModelOverride | None, *, by_hand: bool) -> None:
        async with self._turn(name):
            begun_at = self._clock.monotonic()
            try:
                listing = await asyncio.to_thread(self._repository.scan_model, name, override)
                retired = await self._replace(listing, override, by_hand=by_hand)
            except _REFUSALS as error:
                raise self._failed(name, error) from error
            finally:
                await self._tidy(name)
            await self._retirement.retire(retired)
            self._warn_once(listing)
            _log.info(
                "model_loaded",
                model=name,
                versions=len(listing.available),
                seconds=round(self._clock.monotonic() - begun_at, 2),
            )

    async def _replace(
        self, listing: ModelListing, override: ModelOverride | None, *, by_hand: bool
    ) -> list[Version]:
        """Bring a listing to the nodes and serve it; return the versions that it replaces.

        Raises:
            FarmError: nothing has changed.
        """
        model = self._catalog.enter(listing.name)
        distribution = Distribution(
            self._fleet, self._supply, listing.available, progress=model.note_progress
        )
        try:
            with self._supply.pinned(distribution.digests):
                _check(listing)
                specs = await distribution.run()
                if by_hand:
                    specs = await self._wish(listing.name, override, distribution)
                return self._switch(listing, distribution, specs)
        except FarmError:
            for digest in distribution.digests:
                await self._fleet.release(digest)
            raise
        finally:
            model.note_progress("")

    def _warn_once(self, listing: ModelListing) -> None:
        known = self._warnings.get(listing.name, ())
        for warning in listing.warnings:
            if warning not in known:
                _log.warning("repository", warning=warning)
        self._warnings[listing.name] = listing.warnings

    async def _wish(
        self, name: str, override: ModelOverride | None, distribution: Distribution
    ) -> tuple[ModelSpec, ...]:
        """Put on disk that a model is wanted so; give it to nodes that came up meanwhile.

        A failure leaves the wish that was there before.
        """
        before = self._repository.wish(name)
        wish = Wish(loaded=True, override=override)
        await asyncio.to_thread(self._repository.record, name, wish)
        try:
            return await distribution.run()
        except FarmError:
            await asyncio.to_thread(self._repository.record, name, before)
            raise

    def _failed(self, name: str, error: FarmError) -> LoadFailedError:
        """Note that a load failed and return what its caller is told."""
        model = self._catalog.enter(name)
        serving = any(version.spec is not None for version in model.versions.values())
        if model.versions:
            model.complaint = f"the last load failed: {error.message}"
        else:
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
            await self._retirement.retire([version for version in old if version.spec is not None])
            digests = {version.digest for version in old if version.available is not None}
            model.versions, model.unloading, model.complaint = {}, False, ""
            model.refusal = UNLOADED
            for digest in digests:
                await self._fleet.release(digest)
            if await self._tidy(name) and by_hand:
                # It cannot be loaded again without its files, so there is nothing to remember.
                await asyncio.to_thread(self._repository.record, name, None)
            _log.info("model_unloaded", model=name)

    async def _tidy(self, name: str) -> bool:
        """Forget what no version of a model is made of any more.

        A model that no load has left a version of, and that the repository does not have,
        is forgotten itself; returns whether it was.
        """
        model = self._catalog.model(name)
        versions = model.versions.values() if model is not None else ()
        keep = [version.artifact for version in versions if version.artifact is not None]
        await asyncio.to_thread(self._repository.forget, name, keep)
        if model is None or model.versions:
            return False
        gone = not await asyncio.to_thread(self._repository.has, name)
        if gone:
            self._catalog.remove(name)
        return gone

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
    if listing.refusal:
        raise ModelUnavailableError(listing.refusal)
    if listing.refused:
        raise ModelUnavailableError("; ".join(version.reason for version in listing.refused))
    if not listing.available:
        raise ModelUnavailableError("no version of it is to be served; check its version_policy")
