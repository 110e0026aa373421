"""Listing models: a corrupt or odd one never keeps the others from being listed."""

import os
from pathlib import Path
from typing import Final

from farm.core.errors import ConfigurationError, FarmError, ModelUnavailableError
from farm.core.models import ModelKey
from farm.repository.artifacts import VersionReader
from farm.repository.config_text import (
    CONFIG_FILENAME,
    MAX_CONFIG_BYTES,
    DeclaredConfig,
    parse_text,
)
from farm.repository.files import open_regular, refuse_link, unreadable
from farm.repository.listing import AvailableVersion, ModelListing, RefusedVersion
from farm.repository.model_config import ModelSettings, read_settings
from farm.repository.names import name_problem, shown
from farm.repository.versions import chosen_versions, looks_like_version, version_number

_SHOWN_FOLDERS: Final = 5


def model_folders(root: Path) -> list[str]:
    """Return the names of the models of `root`, in ascending order.

    Every folder is a model, but for those with a dot in front. A link to a folder is one
    too, so that it is refused by name. `root` itself may be a link.

    Raises:
        ConfigurationError: `root` is missing, not a folder, or cannot be read.
    """
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


def is_model_folder(root: Path, name: str) -> bool:
    """Whether `model_folders` would name it; `name` may be anything a client sends."""
    if not name or name.startswith(".") or "/" in name or "\0" in name:
        return False
    try:
        return (root / name).is_dir()
    except (OSError, ValueError):
        return False


def list_model(
    root: Path, name: str, *, reader: VersionReader, config: DeclaredConfig | None = None
) -> ModelListing:
    """List the model in the folder `name` of `root`, hashing each version to be served.

    `config` takes the place of the model's own one.
    """
    warnings: list[str] = []
    try:
        if problem := name_problem(name):
            raise ModelUnavailableError(
                f"the folder '{shown(name)}' cannot be a model: {problem} (rename the folder)"
            )
        refuse_link(root, name)
        found = _version_folders(root, name, warnings)
        settings = _settings(root, name, config)
    except FarmError as error:
        return ModelListing(
            name=shown(name), refusal=error.message, warnings=tuple(sorted(warnings))
        )
    chosen = chosen_versions(settings.version_policy, found)
    if len(chosen) > reader.max_versions:
        return ModelListing(
            name=name,
            refusal=f"{name} has {len(chosen)} versions to be served, and {reader.max_versions} are"
            " allowed; choose fewer by its version_policy, or remove folders",
            warnings=tuple(sorted((*warnings, *settings.warnings))),
        )
    available: list[AvailableVersion] = []
    refused: list[RefusedVersion] = []
    for version in chosen:
        key = ModelKey(name, version)
        try:
            if version not in found:
                raise ModelUnavailableError(
                    f"the version_policy of {name} names version {version}, but there is no folder"
                    f" {name}/{version}; add it or change the policy"
                )
            available.append(reader.read(root, key, settings))
        except FarmError as error:
            refused.append(RefusedVersion(key=key, reason=error.message))
    return ModelListing(
        name=name,
        available=tuple(available),
        refused=tuple(refused),
        excluded=tuple(ModelKey(name, version) for version in sorted(found.difference(chosen))),
        warnings=tuple(sorted((*warnings, *settings.warnings))),
    )


def _leads(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder or leads to one; a link in a circle leads nowhere."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _version_folders(root: Path, name: str, warnings: list[str]) -> frozenset[int]:
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
    warnings.extend(
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


def _settings(root: Path, name: str, config: DeclaredConfig | None) -> ModelSettings:
    """Read a model's config; without one everything is left to the node.

    Raises:
        FarmError: the config is refused.
    """
    if config is None:
        path = f"{name}/{CONFIG_FILENAME}"
        try:
            with open_regular(root, path) as stream:
                text = stream.read(MAX_CONFIG_BYTES + 1)
        except FileNotFoundError:
            return ModelSettings()
        except OSError as error:
            raise unreadable(path, error) from error
        config = parse_text(text, where=path)
    return read_settings(config, root, name)
