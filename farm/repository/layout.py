"""Listing a repository: a corrupt or odd model never keeps the others from being listed."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from farm.core.errors import ConfigurationError, FarmError, ModelUnavailableError
from farm.core.models import ModelKey
from farm.repository.artifacts import read_artifact
from farm.repository.files import open_regular, refuse_link, unreadable
from farm.repository.listing import (
    AvailableVersion,
    RefusedModel,
    RefusedVersion,
    RepositoryListing,
)
from farm.repository.model_config import (
    CONFIG_FILENAME,
    MAX_CONFIG_BYTES,
    ModelSettings,
    parse_model_config,
)
from farm.repository.names import name_problem, shown
from farm.repository.versions import chosen_versions, looks_like_version, version_number

_SHOWN_FOLDERS: Final = 5


def scan(root: Path) -> RepositoryListing:
    """List the repository at `root`, hashing every version that is to be served.

    Every folder of `root` is a model, but for those with a dot in front. `root` itself may
    be a symbolic link; nothing below it may.

    Raises:
        ConfigurationError: `root` is missing, not a folder, or cannot be read.
    """
    findings = _Findings()
    for name in _model_folders(root):
        try:
            _scan_model(root, name, findings)
        except FarmError as error:
            findings.refused_models.append(RefusedModel(name=shown(name), reason=error.message))
    return RepositoryListing(
        root=root,
        available=tuple(sorted(findings.available, key=lambda found: found.artifact.key)),
        refused_versions=tuple(sorted(findings.refused_versions, key=lambda found: found.key)),
        refused_models=tuple(sorted(findings.refused_models, key=lambda found: found.name)),
        excluded=tuple(sorted(findings.excluded)),
        warnings=tuple(sorted(findings.warnings)),
    )


@dataclass(slots=True)
class _Findings:
    available: list[AvailableVersion] = field(default_factory=list)
    refused_versions: list[RefusedVersion] = field(default_factory=list)
    refused_models: list[RefusedModel] = field(default_factory=list)
    excluded: list[ModelKey] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def _model_folders(root: Path) -> list[str]:
    """Return the names of the folders of `root`, and of links to folders, which are refused."""
    try:
        with os.scandir(root) as entries:
            return sorted(
                entry.name for entry in entries if not entry.name.startswith(".") and _leads(entry)
            )
    except OSError as error:
        name = shown(root.name) or "."
        raise ConfigurationError(
            f"the model repository '{name}' cannot be read ({error.strerror}); create the"
            " folder with a folder for each model in it, or name another one with --models"
        ) from error


def _leads(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder or leads to one; a link in a circle leads nowhere."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _scan_model(root: Path, name: str, findings: _Findings) -> None:
    if problem := name_problem(name):
        raise ModelUnavailableError(
            f"the folder '{shown(name)}' cannot be a model: {problem} (rename the folder)"
        )
    refuse_link(root, name)
    found = _version_folders(root, name, findings)
    settings = _settings(root, name)
    findings.warnings.extend(settings.warnings)
    chosen = chosen_versions(settings.version_policy, found)
    for version in chosen:
        key = ModelKey(name, version)
        try:
            if version not in found:
                raise ModelUnavailableError(
                    f"{name}/{CONFIG_FILENAME}: version_policy names version {version}, but"
                    f" there is no folder {name}/{version}; add it or change the policy"
                )
            artifact = read_artifact(root, key, settings.max_batch_size)
        except FarmError as error:
            findings.refused_versions.append(RefusedVersion(key=key, reason=error.message))
        else:
            findings.available.append(AvailableVersion(artifact=artifact, settings=settings))
    findings.excluded.extend(ModelKey(name, version) for version in found.difference(chosen))


def _version_folders(root: Path, name: str, findings: _Findings) -> frozenset[int]:
    """Return the versions of a model; a link counts as one, so that it is refused by name.

    Raises:
        ModelUnavailableError: there is none, or the model's folder cannot be read.
    """
    versions: set[int] = set()
    others: list[str] = []
    try:
        with os.scandir(root / name) as entries:
            for entry in entries:
                if not entry.is_symlink() and not entry.is_dir():
                    continue
                version = version_number(entry.name)
                if version is not None:
                    versions.add(version)
                else:
                    others.append(entry.name)
    except OSError as error:
        raise unreadable(name, error) from error
    findings.warnings.extend(
        f"{name}/{shown(folder)} is ignored: a version is a positive number without leading"
        " zeros that fits 63 bits; rename the folder"
        for folder in others
        if looks_like_version(folder)
    )
    if not versions:
        seen = ", ".join(shown(folder) for folder in sorted(others)[:_SHOWN_FOLDERS]) or "none"
        raise ModelUnavailableError(
            f"{name} has no version folder (folders found: {seen}); put the model at"
            f" {name}/1/model.onnx"
        )
    return frozenset(versions)


def _settings(root: Path, name: str) -> ModelSettings:
    """Read a model's config; without one everything is left to the node.

    Raises:
        FarmError: the config is refused.
    """
    path = f"{name}/{CONFIG_FILENAME}"
    try:
        with open_regular(root, path) as stream:
            text = stream.read(MAX_CONFIG_BYTES + 1)
    except FileNotFoundError:
        return ModelSettings()
    except OSError as error:
        raise unreadable(path, error) from error
    return parse_model_config(text, model=name)
