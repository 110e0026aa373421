"""The models this gateway knows: what is wanted of each, and how far each version is."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from farm.core.errors import ModelNotFoundError, ModelUnavailableError
from farm.core.models import ModelArtifact, ModelKey, ModelReport, ModelSpec, ModelState
from farm.engine.specs import build_spec, narrowed
from farm.repository.listing import AvailableVersion, ModelListing

# More digits are no version; Python refuses to convert very long ones.
_MAX_DIGITS = 19

UNLOADED = "unloaded; load it again to use it"
EXCLUDED = "the version_policy of the model's config does not choose it"


@dataclass(slots=True)
class Version:
    """One version. `available` is None where the repository refuses it.

    `spec` is None until a node has qualified it; `refusal` says why there is none.
    """

    key: ModelKey
    available: AvailableVersion | None = None
    spec: ModelSpec | None = None
    refusal: str = ""
    goldens_checked: int = 0

    @property
    def artifact(self) -> ModelArtifact | None:
        return self.available.artifact if self.available is not None else None

    @property
    def digest(self) -> str:
        return self.available.artifact.digest if self.available is not None else ""


@dataclass(slots=True)
class Model:
    """One model. Without versions, `refusal` says why there are none.

    `progress` tells of a load that runs, `complaint` of the last one that failed while an
    older version goes on serving.
    """

    name: str
    versions: dict[int, Version] = field(default_factory=dict)
    refusal: str = ""
    unloading: bool = False
    progress: str = ""
    complaint: str = ""

    def note_progress(self, text: str) -> None:
        """Say how far a load that runs is."""
        self.progress = text

    @property
    def latest_first(self) -> list[Version]:
        return [self.versions[number] for number in sorted(self.versions, reverse=True)]


class Catalog:
    """Every model by name. Changed by `ModelControl` and `Fleet` only."""

    def __init__(self) -> None:
        self._models: dict[str, Model] = {}

    def models(self) -> tuple[Model, ...]:
        """Return every model by name."""
        return tuple(self._models[name] for name in sorted(self._models))

    def model(self, name: str) -> Model | None:
        return self._models.get(name)

    def enter(self, name: str) -> Model:
        """Return a model, made known without any version if it was not."""
        return self._models.setdefault(name, Model(name=name))

    def remove(self, name: str) -> None:
        """Forget a model."""
        self._models.pop(name, None)

    def put(self, listing: ModelListing, specs: Iterable[ModelSpec] = ()) -> Model:
        """Make a listing what is wanted of its model; versions in `specs` are qualified."""
        known = {spec.key: spec for spec in specs}
        model = self._models[listing.name] = Model(name=listing.name, refusal=listing.refusal)
        for available in listing.available:
            key = available.artifact.key
            model.versions[key.version] = Version(key=key, available=available, spec=known.get(key))
        for refused in listing.refused:
            model.versions[refused.key.version] = Version(key=refused.key, refusal=refused.reason)
        for key in listing.excluded:
            model.versions[key.version] = Version(key=key, refusal=EXCLUDED)
        return model

    def versions(self) -> Iterator[Version]:
        """Yield every version, by name and number."""
        for model in self.models():
            for number in sorted(model.versions):
                yield model.versions[number]

    def version(self, key: ModelKey) -> Version | None:
        model = self._models.get(key.name)
        return model.versions.get(key.version) if model is not None else None

    def desired(self) -> tuple[AvailableVersion, ...]:
        """Return what every eligible node should hold."""
        return tuple(v.available for v in self.versions() if v.available is not None)

    def wants(self, digest: str) -> bool:
        """Whether any version has this digest."""
        return any(version.digest == digest for version in self.versions())

    def qualified(self, available: AvailableVersion, report: ModelReport) -> ModelSpec | None:
        """Take a node's report; return the spec that holds for the whole farm.

        The most cautious node bounds the batch: rows that depend on each other on one CPU
        are not batched on any. Returns None for a version that is not wanted any more.

        Raises:
            ModelUnavailableError: the model contradicts its config.
        """
        key = available.artifact.key
        version = self.version(key)
        if version is None or version.available != available or self._models[key.name].unloading:
            return None
        if version.spec is None:
            version.spec = build_spec(available, report)
        else:
            version.spec = narrowed(version.spec, report)
        version.goldens_checked = report.goldens_checked
        version.refusal = ""
        return version.spec

    def disqualified(self, available: AvailableVersion, reason: str) -> None:
        """Take a node's refusal. It is the model's own as long as no node qualified it."""
        version = self.version(available.artifact.key)
        if version is not None and version.spec is None:
            version.refusal = reason

    def state(self, version: Version, *, served: bool, refused: bool = False) -> ModelState:
        """Return a version's state, given whether a node serves it now, or all refuse to."""
        model = self._models.get(version.key.name)
        if model is not None and model.unloading:
            return ModelState.UNLOADING
        if version.spec is not None and served:
            return ModelState.READY
        return ModelState.UNAVAILABLE if version.refusal or refused else ModelState.LOADING

    def find(self, name: str, version: str) -> list[Version]:
        """Return the version asked for, or without one all of them, the latest first.

        Raises:
            ModelNotFoundError: there is none.
            ModelUnavailableError: no version of the model is served.
        """
        model = self._models.get(name)
        if model is None:
            raise ModelNotFoundError(
                f"there is no model '{name}' on this farm; `farm models ls` lists those there are"
            )
        if not model.versions:
            if model.progress:
                raise ModelUnavailableError(
                    f"model '{name}' is being loaded ({model.progress})", retry_after_s=1.0
                )
            raise ModelUnavailableError(f"model '{name}' is not served: {model.refusal}")
        if not version:
            return model.latest_first
        known = version.isascii() and version.isdigit() and len(version) <= _MAX_DIGITS
        if not known or int(version) not in model.versions:
            raise ModelNotFoundError(
                f"model '{name}' has no version '{version[:20]}'; it has"
                f" {', '.join(map(str, sorted(model.versions)))}"
            )
        found = model.versions[int(version)]
        if found.refusal == EXCLUDED:
            raise ModelNotFoundError(f"model '{name}' serves no version {version}: {EXCLUDED}")
        return [found]
