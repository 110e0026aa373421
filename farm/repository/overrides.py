"""What a load request puts in the place of a model's own config or files, on disk.

Files go into a folder of their own, named by their content, as a little repository with
one model: `<folder>/<model>/<version>/...`. So they are listed and read like any others.
"""

import os
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Final

from farm.core.errors import (
    ConfigurationError,
    InvalidRequestError,
    LoadFailedError,
    ModelUnavailableError,
)
from farm.core.models import ModelFile
from farm.repository.config_text import DeclaredConfig, parse_json
from farm.repository.digests import canonical_text, file_of, stream_digest
from farm.repository.durable import sync_folder, write_durably
from farm.repository.files import open_regular, read_bounded
from farm.repository.names import name_problem, path_problem, shown
from farm.repository.versions import version_number

MAX_OVERRIDE_FILES: Final = 1_000
MAX_NAME_BYTES: Final = 255

_SHOWN_NAME: Final = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOverride:
    """What a model is made of instead of what lies in the repository.

    `config` is JSON. `files` are by path such as `1/model.onnx`; with any, the model is made
    of them and the config alone.
    """

    config: str | None = None
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)


def override_config(name: str, override: ModelOverride) -> DeclaredConfig:
    """Check an override and return its config.

    Raises:
        InvalidRequestError: it is malformed; the message names the file or the field.
    """
    if override.config is None:
        raise InvalidRequestError(
            f"the load of model '{shown(name)}' brings files without a config; send the config"
            " too, for what lies in the repository does not count then"
        )
    if len(override.files) > MAX_OVERRIDE_FILES:
        raise InvalidRequestError(
            f"the load of model '{shown(name)}' brings {len(override.files)} files, and"
            f" {MAX_OVERRIDE_FILES} are allowed; put the model into the repository instead"
        )
    if override.files and (problem := _unfit_name(name)):
        raise InvalidRequestError(
            f"'{shown(name)}' cannot be the name of a model: {problem}; choose another one"
        )
    for path in override.files:
        version, _, inner = path.partition("/")
        problem = path_problem(path)
        if problem is None and (version_number(version) is None or not inner):
            problem = "it is not <version>/<file>"
        if problem is not None:
            raise InvalidRequestError(
                f"'{shown(path)}' cannot be a file of a model: {problem}; name files such as"
                " 1/model.onnx"
            )
    try:
        return parse_json(override.config, where=f"the config that '{shown(name)}' is loaded with")
    except ConfigurationError as error:
        raise InvalidRequestError(error.message) from error


def _unfit_name(name: str) -> str | None:
    if len(name.encode("utf-8", "replace")) > MAX_NAME_BYTES:
        return f"it is longer than {MAX_NAME_BYTES} bytes"
    return name_problem(name)


class OverrideStore:
    """Keeps the files of overrides below one folder. Any thread may call."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def root(self, entry: str) -> Path:
        """Return the little repository of an entry."""
        return self._folder / entry

    def entries(self) -> tuple[str, ...]:
        """Return the names of everything that is kept, what was left half written too."""
        try:
            return tuple(path.name for path in self._folder.iterdir())
        except FileNotFoundError:
            return ()

    def put(self, name: str, files: Mapping[str, bytes]) -> tuple[str, tuple[ModelFile, ...]]:
        """Keep the files of a model, all or none; return the entry's name and the files.

        Raises:
            LoadFailedError: they cannot be written.
        """
        listed = tuple(file_of(path, files[path]) for path in sorted(files))
        text = f"{name}\n{canonical_text(listed)}"
        entry = f"{name[:_SHOWN_NAME]}-{sha256(text.encode()).hexdigest()[:16]}"
        if self.holds(entry, name, listed):
            return entry, listed
        partial = self._folder / f".{entry}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            for folder in (partial, self.root(entry)):
                if folder.exists():
                    shutil.rmtree(folder)
            for path, data in files.items():
                write_durably(partial / name / path, data)
            for written, _, _ in os.walk(partial):
                sync_folder(Path(written))
            partial.rename(self.root(entry))
            sync_folder(self._folder)
        except OSError as error:
            shutil.rmtree(partial, ignore_errors=True)
            raise LoadFailedError(
                f"the files of model '{shown(name)}' cannot be kept on the gateway"
                f" ({error.strerror or type(error).__name__}); check the space and permissions of"
                " its state folder"
            ) from error
        return entry, listed

    def holds(self, entry: str, name: str, files: Collection[ModelFile]) -> bool:
        """Whether an entry has exactly these files, undamaged."""
        root = self.root(entry)
        found = {
            path.relative_to(root / name).as_posix()
            for path in (root / name).rglob("*")
            if not path.is_dir()
        }
        return found == {file.path for file in files} and all(
            _is_undamaged(root, f"{name}/{file.path}", file) for file in files
        )

    def files(self, entry: str, name: str, files: Iterable[ModelFile]) -> Mapping[str, bytes]:
        """Return the files of an entry by path; each one is read when it is asked for."""
        return _KeptFiles(self.root(entry), name, files)

    def remove(self, entry: str) -> None:
        """Forget an entry."""
        shutil.rmtree(self.root(entry), ignore_errors=True)


class _KeptFiles(Mapping[str, bytes]):
    """Files of an entry, which may be large, so they are not held in memory.

    Asking for one raises `ConfigurationError` if it is gone or damaged.
    """

    def __init__(self, root: Path, name: str, files: Iterable[ModelFile]) -> None:
        self._root = root
        self._name = name
        self._files = {file.path: file for file in files}

    def __getitem__(self, path: str) -> bytes:
        file = self._files[path]
        try:
            data = read_bounded(self._root, f"{self._name}/{path}", file.size_bytes)
        except (OSError, ModelUnavailableError):
            data = b""
        if file_of(path, data) != file:
            raise damaged(self._name)
        return data

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


def damaged(name: str) -> ConfigurationError:
    """Return the error that says that files of a model's last load are not as they were."""
    return ConfigurationError(
        f"files that model '{shown(name)}' was last loaded with are gone or damaged; load it"
        " again with its files, or without any to serve the repository's"
    )


def _is_undamaged(root: Path, path: str, file: ModelFile) -> bool:
    try:
        with open_regular(root, path) as stream:
            return stream_digest(stream) == (file.sha256, file.size_bytes)
    except (OSError, ModelUnavailableError):
        return False
