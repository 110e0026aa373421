"""The curves a gateway knows, and by them the split that each node runs a model on."""

import asyncio
from collections.abc import Mapping

from farm.core.models import LatencyCurve, ModelSpec
from farm.core.nodes import NodeProfile
from farm.engine.catalog import Catalog
from farm.engine.curve_store import CurveKey, CurveStore, MeasuredCurves, curve_key
from farm.engine.splits import Demand, choose, demand


class KnownCurves:
    """Curves in memory, of digests that some version is made of, over those on disk."""

    def __init__(self, *, catalog: Catalog, store: CurveStore) -> None:
        self._catalog = catalog
        self._store = store
        self._known: dict[CurveKey, MeasuredCurves] = {}

    def of(self, profile: NodeProfile, digest: str) -> MeasuredCurves | None:
        """Return the curves of a digest that hold for a node, if they are in memory."""
        return self._known.get(curve_key(profile, digest))

    def choice(self, profile: NodeProfile, digest: str) -> LatencyCurve | None:
        """Return the curve of the split that a node should run a digest on, if it is known."""
        measured, wanted = self.of(profile, digest), self.demand(digest)
        return choose(measured.curves, wanted, profile) if measured and wanted else None

    async def find(self, profile: NodeProfile, digest: str) -> bool:
        """Return whether what is known, here or on disk, will do for a digest on a node."""
        wanted = self.demand(digest)
        if wanted is None:
            return False
        known = self.of(profile, digest)
        if known is None or not known.covers(wanted.max_rows):
            key = curve_key(profile, digest)
            known = await asyncio.to_thread(self._store.read, key)
            if known is None or not known.covers(wanted.max_rows):
                return False
            self._known[key] = known
        return True

    async def keep(self, profile: NodeProfile, digest: str, measured: MeasuredCurves) -> None:
        """Know curves that were just measured, and keep them on disk."""
        key = curve_key(profile, digest)
        self._known[key] = measured
        await asyncio.to_thread(self._store.write, key, measured)

    def demand(self, digest: str) -> Demand | None:
        """Return what a digest is run for, or None where no version is made of it."""
        specs = [v.spec for v in self._catalog.versions() if v.spec and v.digest == digest]
        return demand(specs) if specs else None

    def demands(self) -> Mapping[str, Demand]:
        """Return what every digest is run for; curves of others are forgotten."""
        specs: dict[str, list[ModelSpec]] = {}
        for version in self._catalog.versions():
            if version.spec is not None:
                specs.setdefault(version.digest, []).append(version.spec)
        self._known = {key: found for key, found in self._known.items() if key.digest in specs}
        return {digest: demand(sharing) for digest, sharing in specs.items()}
