"""What nodes should hold, and how each of them comes by it: models, and their known curves."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from farm.core.errors import FarmError, IntegrityError, ModelUnavailableError, NodeLostError
from farm.core.models import ModelReport
from farm.core.nodes import NodeProfile
from farm.core.pool import BlobSource, WorkerPool
from farm.engine.catalog import Catalog
from farm.engine.eligibility import ineligible
from farm.engine.engine import Engine
from farm.engine.known_curves import KnownCurves
from farm.engine.members import Member
from farm.repository.listing import AvailableVersion
from farm.repository.onnx_header import runtime_floor
from farm.scheduling.events import ModelChanged

_log = structlog.get_logger()


class NodeAtFaultError(ModelUnavailableError):
    """A node could not take a model, and the model is not to blame: it may be tried again."""


class Supply:
    """Brings nodes the versions that the catalog desires; when, is the fleet's to say."""

    def __init__(
        self,
        *,
        pool: WorkerPool,
        engine: Engine,
        catalog: Catalog,
        curves: KnownCurves,
        blobs: BlobSource,
    ) -> None:
        self._pool = pool
        self._engine = engine
        self._catalog = catalog
        self._curves = curves
        self._blobs = blobs
        self._pinned: Counter[str] = Counter()

    def obstacle(self, member: Member, available: AvailableVersion) -> str:
        """Say why a node cannot hold a version at all, or nothing."""
        if member.profile is None:
            return "it has not come up yet"
        if available.artifact.digest in member.ready:
            return ""
        return ineligible(
            available.artifact,
            runtime_floor=runtime_floor(available.header),
            profile=member.profile,
            vitals=member.vitals,
        )

    async def prepare(self, member: Member, available: AvailableVersion) -> ModelReport:
        """Bring a version to a node and qualify it there; it does not serve it yet.

        Raises:
            NodeLostError: the node went away.
            ModelUnavailableError: the node or the model is at fault; the message says which.
        """
        try:
            with member.laden():
                report = await self._pool.prepare(member.node_id, available.artifact, self._blobs)
            _log.debug("prepared", node=member.node_id, model=str(available.artifact.key))
            return report
        except (NodeLostError, ModelUnavailableError):
            raise
        except IntegrityError as error:
            raise NodeAtFaultError(error.message) from error
        except FarmError as error:
            raise NodeAtFaultError(
                f"node '{member.node_id}' could not load it: {error.message}"
            ) from error
        except Exception as error:
            _log.error("prepare_failed", node=member.node_id, exc_info=error)
            raise NodeAtFaultError(
                f"node '{member.node_id}' failed to load it ({type(error).__name__})"
            ) from error

    @contextmanager
    def pinned(self, digests: frozenset[str]) -> Iterator[None]:
        """Keep digests on the nodes that have them, though no version wants them yet."""
        self._pinned.update(digests)
        try:
            yield
        finally:
            # In place, which unlike `subtract` forgets what nobody pins any more.
            self._pinned -= Counter(digests)

    def in_use(self, digest: str) -> bool:
        """Whether a version wants a digest, or it is pinned."""
        return self._pinned[digest] > 0 or self._catalog.wants(digest)

    def missing(self, member: Member, *, again: bool = False) -> list[AvailableVersion]:
        """Return what a node should hold and does not; `again` with what it refused in passing."""
        settled = member.refused.keys() - (member.passing if again else frozenset())
        return [
            available
            for available in self._catalog.desired()
            if available.artifact not in member.holds and available.artifact not in settled
        ]

    async def give(self, member: Member, profile: NodeProfile, available: AvailableVersion) -> None:
        """Give a joining node one version, or note why it cannot have it."""
        artifact = available.artifact
        reason = self.obstacle(member, available)
        if reason:
            member.refuse(artifact, reason)
            return
        try:
            report = await self.prepare(member, available)
            spec = self._catalog.qualified(available, report)
        except NodeLostError:
            raise
        except ModelUnavailableError as error:
            member.refuse(artifact, error.message, passing=isinstance(error, NodeAtFaultError))
            self._catalog.disqualified(available, error.message)
            _log.warning(
                "model_refused", model=str(artifact.key), node=member.node_id, reason=error.message
            )
            return
        member.accept(artifact)
        if spec is not None:
            self._engine.post(ModelChanged(artifact.key, spec))
        await self._recall_curve(member, profile, artifact.digest)

    async def _recall_curve(self, member: Member, profile: NodeProfile, digest: str) -> None:
        """Give a joining node the curve that another one of its class has measured."""
        if await self._curves.find(profile, digest):
            member.ready[digest] = self._curves.choice(profile, digest)
            member.unmeasured.discard(digest)
