"""What a repository may hold; the section `repository` of the configuration."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryLimits:
    """Bounds on what is listed; what exceeds one is refused with the setting's name.

    `max_model_bytes` is for all files of a version, `max_operators` for the operators of a
    model with those of its subgraphs and functions. `max_versions` is for the versions of a model
    that its policy chooses, `max_files` for the files of a version; no operator needs more, so no
    setting names them.
    """

    max_model_bytes: int = 2 << 30
    max_operators: int = 100_000
    max_models: int = 10_000
    max_versions: int = 1_000
    max_files: int = 10_000
