"""Versions on their way out: they answer what they accepted, then leave the nodes."""

import asyncio
from collections.abc import Iterable
from typing import Final

import structlog

from farm.core.models import ModelKey
from farm.engine.catalog import Catalog, Version
from farm.engine.engine import Engine
from farm.engine.fleet import Fleet
from farm.scheduling.events import ModelChanged
from farm.scheduling.machine import Machine

_log = structlog.get_logger()

# How long accepted requests of a version may take to be answered.
_TIMEOUT_S: Final = 60.0


class Retirement:
    """Retires versions that the catalogue no longer serves, or serves from other files."""

    def __init__(self, *, catalog: Catalog, fleet: Fleet, engine: Engine) -> None:
        self._catalog = catalog
        self._fleet = fleet
        self._engine = engine

    async def retire(self, versions: Iterable[Version]) -> None:
        """Wait until nothing of the versions waits or runs, then take them off the nodes."""
        for version in versions:
            await self._finish(version.key, version.digest)
            if not self._served(version.key):
                self._engine.post(ModelChanged(version.key, None))
                self._engine.forget(version.key)
            await self._fleet.release(version.digest)

    def _served(self, key: ModelKey) -> bool:
        """Whether a version is served still, from whatever files."""
        model = self._catalog.model(key.name)
        if model is None or model.unloading:
            return False
        version = model.versions.get(key.version)
        return version is not None and version.spec is not None

    async def _finish(self, key: ModelKey, digest: str) -> None:
        # What waits in the queue of a version that is served from other files runs on those.
        queue_stays = self._served(key)

        def finished(machine: Machine) -> bool:
            return not machine.inflight_of(key, digest) and (queue_stays or not machine.queued(key))

        try:
            async with asyncio.timeout(_TIMEOUT_S):
                await self._engine.reached(finished)
        except TimeoutError:
            _log.warning("retired_with_requests", model=str(key), seconds=_TIMEOUT_S)
