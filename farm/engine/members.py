"""One node as the gateway knows it."""

from asyncio import Event, Future, get_running_loop, shield
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from farm.core.models import LatencyCurve, ModelArtifact
from farm.core.nodes import NodeProfile, NodeState, NodeVitals


@dataclass(slots=True)
class Member:
    """A node as the gateway knows it.

    `ready` holds the digests it may run, with their curves once they are measured; `holds`
    the versions that it qualified, `refused` those that it could not, and why; it may be asked
    again for those in `passing`, where the node was at fault and not the model. `missed` are
    digests in `ready` that its last heartbeat did not name. `unmeasured` are digests whose curve
    nobody has tried to measure. `losses` counts how often it went down. Of a `cordoned` node an
    operator wants that it gets no new batches; right after that changed, its next heartbeat is
    `outdated`: it may have been on its way already. While it is `restarting`, an operator waits
    for another process to take its place; while it is `calibrating`, its host is, and the node
    says of itself that it is cordoned.
    It is `unladen` while no version is on its way to it.
    """

    node_id: str
    state: NodeState = NodeState.JOINING
    reason: str = "waiting for its actor"
    profile: NodeProfile | None = None
    vitals: NodeVitals | None = None
    heard_at: float | None = None
    losses: int = 0
    cordoned: bool = False
    outdated: bool = False
    restarting: bool = False
    calibrating: bool = False
    ready: dict[str, LatencyCurve | None] = field(default_factory=dict)
    holds: set[ModelArtifact] = field(default_factory=set)
    refused: dict[ModelArtifact, str] = field(default_factory=dict)
    passing: set[ModelArtifact] = field(default_factory=set)
    missed: frozenset[str] = frozenset()
    unmeasured: set[str] = field(default_factory=set)
    unladen: Event = field(default_factory=Event)
    _coming: int = 0
    _beat: "Future[NodeVitals] | None" = None

    def __post_init__(self) -> None:
        self.unladen.set()

    @contextmanager
    def laden(self) -> Iterator[None]:
        """Note that a version is on its way to the node."""
        self._coming += 1
        self.unladen.clear()
        try:
            yield
        finally:
            self._coming -= 1
            if not self._coming:
                self.unladen.set()

    def hear(self, vitals: NodeVitals, now: float) -> None:
        """Take a heartbeat."""
        self.vitals, self.heard_at = vitals, now
        if self._beat is not None:
            self._beat.set_result(vitals)
            self._beat = None

    async def heartbeat(self) -> NodeVitals:
        """Wait for the node's next heartbeat, for as long as it takes."""
        if self._beat is None:
            self._beat = get_running_loop().create_future()
        # Others may wait for it too.
        return await shield(self._beat)

    @property
    def incarnation(self) -> str:
        return self.profile.incarnation if self.profile is not None else ""

    def accept(self, artifact: ModelArtifact) -> None:
        """Note that the node may run a version."""
        if artifact not in self.holds:
            # The same files may have larger batches under another config.
            self.ready.setdefault(artifact.digest, None)
            self.unmeasured.add(artifact.digest)
        self.holds = {held for held in self.holds if held.key != artifact.key} | {artifact}
        self._forget_refusals(artifact)

    def refuse(self, artifact: ModelArtifact, reason: str, *, passing: bool = False) -> None:
        """Note why the node does not hold a version, and whether that may pass."""
        self._forget_refusals(artifact)
        self.refused[artifact] = reason
        if passing:
            self.passing.add(artifact)

    def _forget_refusals(self, artifact: ModelArtifact) -> None:
        self.refused = {a: why for a, why in self.refused.items() if a.key != artifact.key}
        self.passing = {other for other in self.passing if other.key != artifact.key}

    def lost(self, vitals: NodeVitals) -> frozenset[str]:
        """Return the digests that the node should have and has not named twice in a row.

        Once may be a heartbeat from before the model came.
        """
        missed = frozenset(self.ready) - frozenset(vitals.digests)
        lost, self.missed = missed & self.missed, missed
        return lost

    def clear(self) -> None:
        """Forget what the node held: it is another process now, or none."""
        self.ready, self.holds, self.refused, self.unmeasured = {}, set(), {}, set()
        self.passing, self.missed = set(), frozenset()

    def forget(self, digest: str) -> bool:
        """Note that the node may not run a digest any more; return whether it could."""
        known = digest in self.ready
        self.ready.pop(digest, None)
        self.holds = {held for held in self.holds if held.digest != digest}
        self.unmeasured.discard(digest)
        return known
