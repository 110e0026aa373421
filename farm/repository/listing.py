"""What a look at a repository found: versions to serve, and what is refused and why.

Every reason and warning is a whole sentence that names files relative to the repository,
so it can be shown to clients as it stands.
"""

from dataclasses import dataclass, field
from pathlib import Path

from farm.core.models import ModelArtifact, ModelKey
from farm.repository.model_config import ModelSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class AvailableVersion:
    """A version that may be sent to nodes, and what its model's config asks for."""

    artifact: ModelArtifact
    settings: ModelSettings = field(default_factory=ModelSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedVersion:
    """A version that should be served by its model's policy, but must not be."""

    key: ModelKey
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedModel:
    """A model that has no version at all to list, or whose config or name is refused.

    `name` is the folder's, with unprintable characters escaped.
    """

    name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryListing:
    """A repository at one moment; all tuples are in ascending order.

    A model is in `refused_models`, or each version that its policy chooses is in
    `available` or `refused_versions`; the versions it does not choose are in `excluded`,
    unread. `root` stays out of the representation, which may be logged and shown.
    """

    root: Path = field(repr=False)
    available: tuple[AvailableVersion, ...] = ()
    refused_versions: tuple[RefusedVersion, ...] = ()
    refused_models: tuple[RefusedModel, ...] = ()
    excluded: tuple[ModelKey, ...] = ()
    warnings: tuple[str, ...] = ()
