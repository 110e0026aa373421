"""A model version in depth: what it takes, what it needs, where it runs and how fast."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from farm.core.errors import ModelUnavailableError
from farm.core.models import LatencyCurve, ModelKey, Objective
from farm.core.nodes import NodeProfile, NodeState
from farm.core.snapshots import ModelSnapshot
from farm.core.tensors import TensorSpec
from farm.engine.catalog import Catalog, Version
from farm.engine.curve_store import MeasuredCurves
from farm.engine.curves import Curves
from farm.engine.engine import Engine
from farm.engine.fleet import Fleet
from farm.engine.known_curves import KnownCurves
from farm.engine.members import Member
from farm.engine.snapshots import Snapshots
from farm.engine.splits import slots
from farm.repository.onnx_header import OnnxHeader, runtime_floor


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitCurve:
    """The curve of one split, and how many of its batches run at once."""

    slots: int
    curve: LatencyCurve


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeReadiness:
    """One version on one node: whether it may run there, or why not, and its curve.

    `curve` is that of the split that was chosen of `splits`; batches really take
    `correction` times as long, on a clock that is `speed` times the highest. `measured`
    says where the curves come from.
    """

    node_id: str
    cpu_class: str
    board: str
    runtime_version: str
    ready: bool
    reason: str
    curve: LatencyCurve | None
    splits: tuple[SplitCurve, ...] = ()
    measured: MeasuredCurves | None = None
    correction: float | None = None
    speed: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelDescription:
    """One version. `header` is None where the repository refuses the version.

    `preprocessing` is JSON by input, `labels` names of classes by output.
    """

    snapshot: ModelSnapshot
    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()
    abi: str = ""
    header: OnnxHeader | None = None
    runtime_floor: str = ""
    size_bytes: int = 0
    goldens_checked: int = 0
    objective: Objective = Objective.THROUGHPUT
    parameters: Mapping[str, str] = field(default_factory=dict)
    preprocessing: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    nodes: tuple[NodeReadiness, ...] = ()


class Descriptions:
    """Describes what one gateway knows of its models."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        fleet: Fleet,
        engine: Engine,
        known: KnownCurves,
        curves: Curves,
        snapshots: Snapshots,
    ) -> None:
        self._catalog = catalog
        self._fleet = fleet
        self._engine = engine
        self._known = known
        self._curves = curves
        self._snapshots = snapshots

    def describe(self, name: str, version: str) -> tuple[ModelDescription, ...]:
        """Return the version asked for, or without one all of them, the latest first.

        Raises:
            ModelNotFoundError: there is no such model or version.
            ModelUnavailableError: no version of the model is known; the message says why.
        """
        return tuple(self._describe(entry) for entry in self._catalog.find(name, version))

    def on_node(self, member: Member) -> tuple[tuple[ModelKey, NodeReadiness], ...]:
        """Return how every version that the farm is meant to serve stands on one node."""
        return tuple(
            (version.key, self._readiness(member, version)) for version in self._catalog.versions()
        )

    async def measure(self, name: str, version: str) -> tuple[ModelDescription, ...]:
        """Measure a model's curves anew, then describe it.

        Raises:
            ModelNotFoundError: there is no such model or version.
            ModelUnavailableError: no node serves it, or it could not be measured on some.
        """
        digests = {v.digest for v in self._catalog.find(name, version) if v.spec is not None}
        if not digests:
            raise ModelUnavailableError(f"model '{name}' is not served now, so nothing can time it")
        for digest in sorted(digests):
            await self._curves.remeasure(digest)
        return self.describe(name, version)

    def _describe(self, version: Version) -> ModelDescription:
        snapshot = self._snapshots.model(version)
        available = version.available
        if available is None:
            return ModelDescription(snapshot=snapshot)
        settings, spec = available.settings, version.spec
        return ModelDescription(
            snapshot=snapshot,
            inputs=spec.inputs if spec else settings.inputs,
            outputs=spec.outputs if spec else settings.outputs,
            abi=available.abi,
            header=available.header,
            runtime_floor=runtime_floor(available.header),
            size_bytes=available.artifact.size_bytes,
            goldens_checked=version.goldens_checked,
            objective=settings.objective,
            parameters=settings.parameters,
            preprocessing=settings.preprocessing,
            labels=settings.labels,
            nodes=tuple(self._readiness(m, version) for m in self._fleet.members.values()),
        )

    def _readiness(self, member: Member, version: Version) -> NodeReadiness:
        profile, digest = member.profile, version.digest
        ready = (
            member.state is NodeState.READY and version.spec is not None and digest in member.ready
        )
        reason = ""
        if not ready and version.artifact is not None:
            reason = member.refused.get(version.artifact, "") or member.reason or version.refusal
        curve = member.ready.get(digest)
        measured = self._known.of(profile, digest) if profile is not None and curve else None
        return NodeReadiness(
            node_id=member.node_id,
            cpu_class=profile.cpu_class if profile else "",
            board=profile.board if profile else "",
            runtime_version=profile.runtime_version if profile else "",
            ready=ready,
            reason=reason,
            curve=curve,
            splits=_splits(measured, profile) if measured and profile else (),
            measured=measured,
            correction=self._engine.machine.correction(member.node_id, digest) if curve else None,
            speed=member.vitals.speed if member.vitals else None,
        )


def _splits(measured: MeasuredCurves, profile: NodeProfile) -> tuple[SplitCurve, ...]:
    """Return every split that was measured, the most slots first."""
    splits = [SplitCurve(slots=slots(curve, profile), curve=curve) for curve in measured.curves]
    return tuple(sorted(splits, key=lambda split: -split.slots))
