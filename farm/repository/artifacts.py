"""One version's folder, read into the artifact that travels to nodes."""

import os
import re
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Final

from farm.core.errors import ModelUnavailableError
from farm.core.models import ModelArtifact, ModelFile, ModelKey
from farm.repository.digests import MODEL_FILENAME, version_digest
from farm.repository.farm_parameters import ABI_PARAMETER, parse_abi
from farm.repository.file_facts import FileFacts
from farm.repository.files import refuse_link, unreadable, visible_files
from farm.repository.limits import RepositoryLimits
from farm.repository.listing import AvailableVersion
from farm.repository.model_config import ModelSettings
from farm.repository.names import shown
from farm.repository.onnx_header import OnnxHeader, external_paths

GOLDEN_FOLDER: Final = "golden"

_LIBRARY: Final = re.compile(r".*\.(so(\.[0-9]+)*|dylib|dll)", re.IGNORECASE | re.DOTALL)
_GOLDEN_DEPTH: Final = 3  # golden/<cpu-class|any>/<name>.npz


class VersionReader:
    """Reads and hashes versions. Used by one thread at a time."""

    def __init__(self, limits: RepositoryLimits) -> None:
        self._limits = limits
        self._facts = FileFacts()

    @property
    def max_versions(self) -> int:
        """How many versions of a model may be chosen to be served."""
        return self._limits.max_versions

    def read(self, root: Path, key: ModelKey, settings: ModelSettings) -> AvailableVersion:
        """Read a version's folder in the repository at `root`.

        Files and goldens are in ascending order of their paths.

        Raises:
            ConfigurationError: the ONNX file declares an ABI that is none.
            ModelUnavailableError: the version must not be served; the message names the
                file, or the setting that it exceeds.
        """
        folder = f"{key.name}/{key.version}"
        refuse_link(root, folder)
        files, goldens = _sorted_out(root, folder, self._limits.max_files)
        main = _main_file(folder, files, settings.filename)
        self._check_size(root, folder, (*files, *goldens))
        model_files = tuple(self._file(root, folder, path) for path in files)
        artifact = ModelArtifact(
            key=key,
            digest=version_digest(model_files, main=main),
            files=model_files,
            goldens=tuple(self._file(root, folder, path) for path in goldens),
            warmups=settings.warmups,
            max_batch_size=settings.max_batch_size,
            joins=settings.joins,
            main=main,
        )
        header = self._facts.header(root, f"{folder}/{main}", self._limits.max_operators)
        _check_external_data(header, folder, main, files)
        return AvailableVersion(
            artifact=artifact,
            settings=settings,
            header=header,
            abi=_abi(key, settings, header, f"{folder}/{main}"),
        )

    def _file(self, root: Path, folder: str, path: str) -> ModelFile:
        sha256, size_bytes = self._facts.digest(root, f"{folder}/{path}")
        return ModelFile(path=path, sha256=sha256, size_bytes=size_bytes)

    def _check_size(self, root: Path, folder: str, paths: Sequence[str]) -> None:
        """Check the size before anything is hashed."""
        total = 0
        for path in paths:
            try:
                total += os.lstat(root / folder / path).st_size
            except OSError as error:
                raise unreadable(f"{folder}/{path}", error) from error
        if total > self._limits.max_model_bytes:
            raise ModelUnavailableError(
                f"{folder} has {total} bytes, above the {self._limits.max_model_bytes} that"
                " repository.max_model_bytes sets; raise the setting or make the model smaller"
            )


def _sorted_out(root: Path, folder: str, max_files: int) -> tuple[list[str], list[str]]:
    """Return the paths of a version's model files and goldens."""
    goldens: list[str] = []
    files: list[str] = []
    found = sorted(islice(visible_files(root, folder), max_files + 1))
    if len(found) > max_files:
        raise ModelUnavailableError(
            f"{folder} has more than {max_files} files, as many as a version may have; pack them"
            " into fewer"
        )
    for path in found:
        if not path.isprintable():
            raise ModelUnavailableError(
                f"{shown(f'{folder}/{path}')} has a name that cannot be printed; rename the file"
            )
        if path.startswith(f"{GOLDEN_FOLDER}/"):
            if path.endswith(".npz") and path.count("/") == _GOLDEN_DEPTH - 1:
                goldens.append(path)
            continue
        if _LIBRARY.fullmatch(path):
            raise ModelUnavailableError(
                f"{shown(f'{folder}/{path}')} is a library of custom operators, which the farm"
                " never loads; export the model without custom operators and remove the file"
            )
        files.append(path)
    return files, goldens


def _main_file(folder: str, files: Sequence[str], filename: str) -> str:
    """Return the path of the model; as in Triton it may lie in a folder of that name."""
    for path in (filename, f"{filename}/{MODEL_FILENAME}"):
        if path in files:
            return path
    raise ModelUnavailableError(
        f"{folder} has no file {shown(filename)}; put the model there under that name"
    )


def _check_external_data(header: OnnxHeader, folder: str, main: str, files: Sequence[str]) -> None:
    known = frozenset(files)
    for location, path in external_paths(header, main):
        if path is None:
            raise ModelUnavailableError(
                f"{folder}/{main} has external data in '{location}', which leads out of the"
                " version's folder; save the model with its data beside it"
            )
        if path not in known:
            raise ModelUnavailableError(
                f"{folder}/{main} has external data in '{location}', but there is no file"
                f" {folder}/{shown(path)}; add it"
            )


def _abi(key: ModelKey, settings: ModelSettings, header: OnnxHeader, where: str) -> str:
    """Return the ABI that the config declares, else the file, else the version's number."""
    if declared := settings.declared_abi(key.version):
        return declared
    if declared := header.metadata.get(ABI_PARAMETER, ""):
        return parse_abi(declared, where=f"{where}: its metadata '{ABI_PARAMETER}'")
    return f"{key.version}.0"
