"""The versions this gateway should serve, and how far each one is."""

from dataclasses import dataclass

from farm.core.errors import ModelNotFoundError, ModelUnavailableError
from farm.core.models import ModelArtifact, ModelKey, ModelReport, ModelSpec, ModelState
from farm.core.tensors import TensorSpec
from farm.engine.declarations import contradiction

# More digits are no version; Python refuses to convert very long ones.
_MAX_DIGITS = 19


@dataclass(slots=True)
class Version:
    """One version. `spec` is None until a node has qualified it, `refusal` says why not.

    `declared_inputs` and `declared_outputs` are what its config says of its tensors.
    """

    key: ModelKey
    artifact: ModelArtifact | None
    declared_inputs: tuple[TensorSpec, ...] = ()
    declared_outputs: tuple[TensorSpec, ...] = ()
    spec: ModelSpec | None = None
    refusal: str = ""

    @property
    def digest(self) -> str:
        return self.artifact.digest if self.artifact is not None else ""


class Catalog:
    """Every version by name and number. Mutated only by its owner, `Fleet`."""

    def __init__(self) -> None:
        self._versions: dict[ModelKey, Version] = {}
        self._names: dict[str, list[int]] = {}
        self._refused_models: dict[str, str] = {}

    def desire(
        self,
        artifact: ModelArtifact,
        *,
        declared_inputs: tuple[TensorSpec, ...] = (),
        declared_outputs: tuple[TensorSpec, ...] = (),
    ) -> None:
        """Add a version that nodes should be given."""
        self._add(
            Version(
                key=artifact.key,
                artifact=artifact,
                declared_inputs=declared_inputs,
                declared_outputs=declared_outputs,
            )
        )

    def refuse(self, key: ModelKey, reason: str) -> None:
        """Add a version that cannot be served, so that clients learn why."""
        self._add(Version(key=key, artifact=None, refusal=reason))

    def refuse_model(self, name: str, reason: str) -> None:
        """Add a model of which no version can be served."""
        self._refused_models[name] = reason

    def desired(self) -> tuple[ModelArtifact, ...]:
        """Return what every node should hold."""
        return tuple(v.artifact for v in self._versions.values() if v.artifact is not None)

    def versions(self) -> tuple[Version, ...]:
        """Return every version, by name and number."""
        return tuple(self._versions[key] for key in sorted(self._versions))

    def refused_models(self) -> dict[str, str]:
        """Return the models without a usable version, and why."""
        return dict(self._refused_models)

    def qualified(self, artifact: ModelArtifact, report: ModelReport) -> ModelSpec:
        """Take a node's report; return the spec that holds for the whole farm.

        The most cautious node bounds the batch: rows that depend on each other on one CPU
        are not batched on any.

        Raises:
            ModelUnavailableError: the model contradicts its config.
        """
        version = self._versions[artifact.key]
        problem = contradiction("input", version.declared_inputs, report.inputs) or contradiction(
            "output", version.declared_outputs, report.outputs
        )
        if problem:
            raise ModelUnavailableError(f"model '{artifact.key.name}': {problem}")
        known = version.spec
        if known is not None and known.max_batch_size <= report.max_batch_size:
            return known
        version.spec = ModelSpec(
            key=artifact.key,
            digest=artifact.digest,
            inputs=report.inputs,
            outputs=report.outputs,
            max_batch_size=report.max_batch_size,
            batching_reason=report.batching_reason,
        )
        version.refusal = ""
        return version.spec

    def disqualified(self, artifact: ModelArtifact, reason: str) -> None:
        """Take a node's refusal. It is the model's own as long as no node qualified it."""
        version = self._versions[artifact.key]
        if version.spec is None:
            version.refusal = reason

    def state(self, version: Version, *, served: bool) -> ModelState:
        """Return a version's state, given whether a node serves it now."""
        if version.spec is not None and served:
            return ModelState.READY
        return ModelState.UNAVAILABLE if version.refusal else ModelState.LOADING

    def find(self, name: str, version: str) -> list[Version]:
        """Return the version asked for, or without one all of them, the latest first.

        Raises:
            ModelNotFoundError: there is none.
            ModelUnavailableError: the whole model was refused.
        """
        if name in self._refused_models:
            raise ModelUnavailableError(
                f"model '{name}' is not served: {self._refused_models[name]}"
            )
        numbers = self._names.get(name)
        if numbers is None:
            raise ModelNotFoundError(
                f"there is no model '{name}' on this farm; `farm models ls` lists those there are"
            )
        if not version:
            return [self._versions[ModelKey(name, number)] for number in numbers]
        known = version.isascii() and version.isdigit() and len(version) <= _MAX_DIGITS
        if not known or int(version) not in numbers:
            raise ModelNotFoundError(
                f"model '{name}' has no version '{version[:20]}'; it has"
                f" {', '.join(map(str, sorted(numbers)))}"
            )
        return [self._versions[ModelKey(name, int(version))]]

    def _add(self, version: Version) -> None:
        self._versions[version.key] = version
        numbers = self._names.setdefault(version.key.name, [])
        numbers.append(version.key.version)
        numbers.sort(reverse=True)
