"""One version's folder, read into the artifact that travels to nodes."""

import re
from pathlib import Path
from typing import Final

from farm.core.errors import ModelUnavailableError
from farm.core.models import ModelArtifact, ModelFile, ModelKey
from farm.repository.digests import version_digest
from farm.repository.files import file_digest, refuse_link, visible_files
from farm.repository.names import shown

MODEL_FILENAME: Final = "model.onnx"
GOLDEN_FOLDER: Final = "golden"

_LIBRARY: Final = re.compile(r".*\.(so(\.[0-9]+)*|dylib|dll)", re.IGNORECASE | re.DOTALL)
_GOLDEN_DEPTH: Final = 3  # golden/<cpu-class|any>/<name>.npz


def read_artifact(root: Path, key: ModelKey, max_batch_size: int | None) -> ModelArtifact:
    """Read and hash the files of a version's folder in the repository at `root`.

    Files and goldens are in ascending order of their paths.

    Raises:
        ModelUnavailableError: the version must not be served; the message names the file.
    """
    folder = f"{key.name}/{key.version}"
    refuse_link(root, folder)
    goldens: list[str] = []
    files: list[str] = []
    for path in sorted(visible_files(root, folder)):
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
                f"{shown(f'{folder}/{path}')} is a library of custom operators, which this"
                " version of the farm does not load; export the model without custom operators"
                " and remove the file"
            )
        files.append(path)
    if MODEL_FILENAME not in files:
        raise ModelUnavailableError(
            f"{folder} has no file {MODEL_FILENAME}; put the model there under that name"
        )
    model_files = tuple(_model_file(root, folder, path) for path in files)
    return ModelArtifact(
        key=key,
        digest=version_digest(model_files),
        files=model_files,
        goldens=tuple(_model_file(root, folder, path) for path in goldens),
        max_batch_size=max_batch_size,
    )


def _model_file(root: Path, folder: str, path: str) -> ModelFile:
    sha256, size_bytes = file_digest(root, f"{folder}/{path}")
    return ModelFile(path=path, sha256=sha256, size_bytes=size_bytes)
