"""One load on its way to the nodes: all of those that can hold it, or none."""

import asyncio
from collections.abc import Callable, Sequence

from farm.core.errors import ModelUnavailableError, NodeLostError
from farm.core.models import ModelArtifact, ModelReport, ModelSpec
from farm.engine.fleet import Fleet
from farm.engine.members import Member
from farm.engine.specs import build_spec, narrowed
from farm.engine.supply import Supply
from farm.repository.listing import AvailableVersion


class Distribution:
    """Gives the versions of one model to every eligible ready node.

    Nodes that are lost on the way do not count, nodes that become ready meanwhile do. What
    was there before goes on serving until `commit`.
    """

    def __init__(
        self,
        fleet: Fleet,
        supply: Supply,
        versions: Sequence[AvailableVersion],
        *,
        progress: Callable[[str], None],
    ) -> None:
        self._fleet = fleet
        self._supply = supply
        self._versions = versions
        self._progress = progress
        # By incarnation of a node: the versions that it holds, and the obstacles of others.
        self._held: dict[str, tuple[AvailableVersion, ...]] = {}
        self._obstacles: dict[str, dict[ModelArtifact, str]] = {}
        self._reports: dict[ModelArtifact, list[ModelReport]] = {}

    @property
    def digests(self) -> frozenset[str]:
        return frozenset(version.artifact.digest for version in self._versions)

    async def run(self) -> tuple[ModelSpec, ...]:
        """Prepare every node; return the specs that hold for all of them.

        Once this has returned, nothing may be awaited before `commit`.

        Raises:
            ModelUnavailableError: a node refused a version, or none could hold one.
        """
        while waiting := [m for m in self._fleet.ready_members() if not self._done(m)]:
            self._progress(f"{len(self._held)} of {len(self._held) + len(waiting)} nodes have it")
            outcomes = await asyncio.gather(
                *(self._give(member) for member in waiting), return_exceptions=True
            )
            for outcome in outcomes:
                if isinstance(outcome, BaseException):
                    raise outcome
        return tuple(self._spec(version) for version in self._versions)

    def commit(self) -> None:
        """Let the nodes serve what they were given."""
        for member in self._fleet.ready_members():
            for artifact, reason in self._obstacles.get(member.incarnation, {}).items():
                member.refuse(artifact, reason)
            for version in self._held.get(member.incarnation, ()):
                member.accept(version.artifact)
            self._fleet.tell(member)

    def _done(self, member: Member) -> bool:
        return member.incarnation in self._held

    async def _give(self, member: Member) -> None:
        incarnation = member.incarnation
        held: list[tuple[AvailableVersion, ModelReport]] = []
        obstacles: dict[ModelArtifact, str] = {}
        try:
            for version in self._versions:
                if obstacle := self._supply.obstacle(member, version):
                    obstacles[version.artifact] = obstacle
                    continue
                held.append((version, await self._supply.prepare(member, version)))
        except NodeLostError:
            # Its supervisor reports it down; until then it must not be asked again and again.
            held = []
        for version, report in held:
            self._reports.setdefault(version.artifact, []).append(report)
        self._held[incarnation] = tuple(version for version, _ in held)
        self._obstacles[incarnation] = obstacles

    def _spec(self, version: AvailableVersion) -> ModelSpec:
        reports = self._reports.get(version.artifact)
        if not reports:
            reasons = {
                o[version.artifact] for o in self._obstacles.values() if version.artifact in o
            }
            why = "; ".join(sorted(reasons)) or "no node is ready"
            raise ModelUnavailableError(
                f"no node can hold version {version.artifact.key.version}: {why}"
            )
        spec = build_spec(version, reports[0])
        for report in reports[1:]:
            spec = narrowed(spec, report)
        return spec
