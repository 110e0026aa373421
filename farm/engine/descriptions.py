"""A model version in depth: what it takes, what it needs, where it runs and how fast."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from farm.core.models import LatencyCurve
from farm.core.nodes import NodeState
from farm.core.snapshots import ModelSnapshot
from farm.core.tensors import TensorSpec
from farm.engine.catalog import Catalog, Version
from farm.engine.fleet import Fleet
from farm.engine.members import Member
from farm.engine.snapshots import Snapshots
from farm.repository.onnx_header import OnnxHeader, runtime_floor


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeReadiness:
    """One version on one node: whether it may run there, or why not, and its curve."""

    node_id: str
    cpu_class: str
    board: str
    runtime_version: str
    ready: bool
    reason: str
    curve: LatencyCurve | None


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
    parameters: Mapping[str, str] = field(default_factory=dict)
    preprocessing: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    nodes: tuple[NodeReadiness, ...] = ()


class Descriptions:
    """Describes what one gateway knows of its models."""

    def __init__(self, *, catalog: Catalog, fleet: Fleet, snapshots: Snapshots) -> None:
        self._catalog = catalog
        self._fleet = fleet
        self._snapshots = snapshots

    def describe(self, name: str, version: str) -> tuple[ModelDescription, ...]:
        """Return the version asked for, or without one all of them, the latest first.

        Raises:
            ModelNotFoundError: there is no such model or version.
            ModelUnavailableError: no version of the model is known; the message says why.
        """
        return tuple(self._describe(entry) for entry in self._catalog.find(name, version))

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
            parameters=settings.parameters,
            preprocessing=settings.preprocessing,
            labels=settings.labels,
            nodes=tuple(_readiness(m, version) for m in self._fleet.members.values()),
        )


def _readiness(member: Member, version: Version) -> NodeReadiness:
    profile = member.profile
    ready = (
        member.state is NodeState.READY
        and version.spec is not None
        and version.digest in member.ready
    )
    reason = ""
    if not ready and version.artifact is not None:
        reason = member.refused.get(version.artifact, "") or member.reason or version.refusal
    return NodeReadiness(
        node_id=member.node_id,
        cpu_class=profile.cpu_class if profile else "",
        board=profile.board if profile else "",
        runtime_version=profile.runtime_version if profile else "",
        ready=ready,
        reason=reason,
        curve=member.ready.get(version.digest),
    )
