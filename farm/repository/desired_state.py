"""What operators want loaded, kept over restarts of the gateway.

One JSON file names every model that was loaded or unloaded by hand; files that a load
brought lie beside it. It is replaced as a whole, after the files it names are safe and
before those it no longer names are deleted, so a crash leaves the old state or the new. A
copy lies beside it, for cards that lose bytes of what was written well long ago.
"""

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Final

from farm.core.errors import ConfigurationError
from farm.core.models import ModelFile
from farm.repository.durable import write_atomically
from farm.repository.names import name_problem, path_problem
from farm.repository.overrides import ModelOverride, OverrideStore, damaged

STATE_FILENAME: Final = "desired.json"
COPY_FILENAME: Final = "desired.copy.json"
ASIDE_FILENAME: Final = "desired.damaged.json"

_SCHEMA: Final = 1
_SHA256: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_REMEDY: Final = (
    "restore it from a backup, or move it away to start with what lies in the repository"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Whether a model shall be served, and what of: the repository's files, or others."""

    loaded: bool
    override: ModelOverride | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A wish as it is kept: the files of its override are in the store, under `entry`."""

    loaded: bool
    config: str | None = None
    entry: str = ""
    files: tuple[ModelFile, ...] = ()


class DesiredState:
    """The wishes of one gateway. With no folder they last as long as the process.

    Any thread may call. `restored` says what was done about a file that was damaged, if it was:
    its copy has taken its place.

    Raises:
        ConfigurationError: the file is damaged and so is its copy, or it is of a newer version,
            or cannot be read.
    """

    def __init__(self, folder: Path | None, store: OverrideStore) -> None:
        self._folder = folder
        self._store = store
        self._lock = Lock()
        self._recorded, self.restored = ({}, "") if folder is None else _read(folder)

    @property
    def recorded(self) -> Mapping[str, Recorded]:
        """What is wished, by name of model."""
        return self._recorded

    def wish(self, name: str) -> Wish | None:
        """Return what is wished for a model, or None if nothing is.

        Files of its override are read when they are asked for, and then raise
        `ConfigurationError` if they are gone or damaged.
        """
        recorded = self._recorded.get(name)
        if recorded is None:
            return None
        override = None
        if recorded.config is not None:
            files = self._store.files(recorded.entry, name, recorded.files)
            override = ModelOverride(config=recorded.config, files=files)
        return Wish(loaded=recorded.loaded, override=override)

    def check(self, name: str) -> None:
        """Check that the files that a model was last loaded with are as they were.

        Raises:
            ConfigurationError: they are not.
        """
        recorded = self._recorded[name]
        if recorded.entry and not self._store.holds(recorded.entry, name, recorded.files):
            raise damaged(name)

    def record(self, name: str, wish: Wish | None) -> None:
        """Remember a wish, or with None forget it. When this returns it is on disk.

        Raises:
            ConfigurationError: it cannot be written; the old wish stands.
            LoadFailedError: files of its override cannot be written; the old wish stands.
        """
        new = None if wish is None else self._kept(name, wish)
        with self._lock:
            recorded = {key: value for key, value in self._recorded.items() if key != name}
            if new is not None:
                recorded[name] = new
            if recorded != self._recorded:
                self._write(recorded)
                self._recorded = recorded

    def _kept(self, name: str, wish: Wish) -> Recorded:
        if wish.override is None:
            return Recorded(loaded=wish.loaded)
        if not wish.override.files:
            return Recorded(loaded=wish.loaded, config=wish.override.config)
        entry, files = self._store.put(name, wish.override.files)
        return Recorded(loaded=wish.loaded, config=wish.override.config, entry=entry, files=files)

    def _write(self, recorded: Mapping[str, Recorded]) -> None:
        if self._folder is None:
            return
        models = {name: _encoded(recorded[name]) for name in sorted(recorded)}
        data = f"{json.dumps({'schema': _SCHEMA, 'models': models}, indent=1)}\n".encode()
        copy = self._folder / COPY_FILENAME
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            write_atomically(self._folder / STATE_FILENAME, data)
        except OSError as error:
            raise ConfigurationError(
                f"{STATE_FILENAME} in the gateway's state folder cannot be written"
                f" ({error.strerror}); check its space and permissions"
            ) from error
        # The wish is safe already, and a copy of older wishes is worse than none.
        with suppress(OSError):
            copy.unlink(missing_ok=True)
            write_atomically(copy, data)


def _encoded(recorded: Recorded) -> dict[str, Any]:
    value: dict[str, Any] = {"loaded": recorded.loaded}
    if recorded.config is not None:
        value["config"] = recorded.config
    if recorded.entry:
        value["entry"] = recorded.entry
        value["files"] = [[file.path, file.sha256, file.size_bytes] for file in recorded.files]
    return value


def _read(folder: Path) -> tuple[dict[str, Recorded], str]:
    """Return what is wished, and what was done about a damaged file."""
    path = folder / STATE_FILENAME
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return {}, ""
    except OSError as error:
        raise ConfigurationError(
            f"{STATE_FILENAME} in the gateway's state folder cannot be read ({error.strerror});"
            f" {_REMEDY}"
        ) from error
    try:
        return _parsed(data), ""
    except _DamagedError as error:
        found = None if isinstance(error, _OtherSchemaError) else _restored(folder)
        if found is None:
            raise ConfigurationError(
                f"{STATE_FILENAME} in the gateway's state folder is damaged, or of another version"
                f" of the farm ({error}); {_REMEDY}"
            ) from error
        what = f"{STATE_FILENAME} was damaged ({error}); its copy has taken its place"
        return found, f"{what}, and it is kept as {ASIDE_FILENAME}"


def _restored(folder: Path) -> dict[str, Recorded] | None:
    """Put the copy in the place of the damaged file; return its wishes if it is sound."""
    path = folder / STATE_FILENAME
    try:
        data = (folder / COPY_FILENAME).read_bytes()
        found = _parsed(data)
    except (OSError, _DamagedError):
        return None
    # On a disk that takes nothing the same is done at the next start.
    with suppress(OSError):
        write_atomically(folder / ASIDE_FILENAME, path.read_bytes())
        write_atomically(path, data)
    return found


class _DamagedError(Exception):
    """The file is not what `_encoded` writes; the text says why."""


class _OtherSchemaError(_DamagedError):
    """Another version of the farm wrote it."""


def _parsed(data: bytes) -> dict[str, Recorded]:
    try:
        return _decoded(json.loads(data))
    except (ValueError, RecursionError) as error:
        what = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
        raise _DamagedError(what) from error


def _decoded(value: Any) -> dict[str, Recorded]:
    if not isinstance(value, dict) or value.keys() != {"schema", "models"}:
        raise _DamagedError("it is no object of schema and models")
    if value["schema"] != _SCHEMA:
        raise _OtherSchemaError(f"its schema is {value['schema']!r}, and this farm knows {_SCHEMA}")
    if not isinstance(value["models"], dict):
        raise _DamagedError("models is no object")
    return {name: _decoded_wish(name, wish) for name, wish in value["models"].items()}


def _decoded_wish(name: str, value: Any) -> Recorded:
    plain = {"loaded"}
    if (
        not isinstance(value, dict)
        or value.keys() not in (plain, {*plain, "config"}, {*plain, "config", "entry", "files"})
        or not isinstance(value["loaded"], bool)
        or not isinstance(value.get("config", ""), str)
        or not isinstance(value.get("files", []), list)
    ):
        raise _DamagedError(f"models['{name}'] is malformed")
    entry = value.get("entry", "")
    if not isinstance(entry, str) or (entry and (name_problem(entry) or name_problem(name))):
        raise _DamagedError(f"models['{name}'].entry is malformed")
    return Recorded(
        loaded=value["loaded"],
        config=value.get("config"),
        entry=entry,
        files=tuple(_decoded_file(name, file) for file in value.get("files", [])),
    )


def _decoded_file(name: str, value: Any) -> ModelFile:
    match value:
        case [str() as path, str() as sha256, int() as size_bytes] if (
            path_problem(path) is None and _SHA256.fullmatch(sha256) and size_bytes >= 0
        ):
            return ModelFile(path=path, sha256=sha256, size_bytes=size_bytes)
    raise _DamagedError(f"models['{name}'].files is malformed")
