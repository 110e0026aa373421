"""What a look at a model found: versions to serve, and what is refused and why.

Every reason and warning is a whole sentence that names files relative to the repository,
so it can be shown to clients as it stands.
"""

from dataclasses import dataclass

from farm.core.models import ModelArtifact, ModelKey
from farm.repository.model_config import ModelSettings
from farm.repository.onnx_header import OnnxHeader


@dataclass(frozen=True, slots=True, kw_only=True)
class AvailableVersion:
    """A version that may be sent to nodes, and what is known of it without opening it.

    `abi` is "MAJOR.MINOR", declared or else the version's number.
    """

    artifact: ModelArtifact
    settings: ModelSettings
    header: OnnxHeader
    abi: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedVersion:
    """A version that should be served by its model's policy, but must not be."""

    key: ModelKey
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelListing:
    """A model at one moment; all tuples are in ascending order.

    A model with a `refusal` has no versions: its name or config is refused, or there is
    none to list. Otherwise each version that its policy chooses is in `available` or
    `refused`; those it does not choose are in `excluded`, unread. `name` is the folder's,
    with unprintable characters escaped.
    """

    name: str
    available: tuple[AvailableVersion, ...] = ()
    refused: tuple[RefusedVersion, ...] = ()
    excluded: tuple[ModelKey, ...] = ()
    refusal: str = ""
    warnings: tuple[str, ...] = ()
