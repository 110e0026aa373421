"""Digests: SHA-256 of files, and the one digest that names a version.

A version's digest is what receipts show as `farm_model_digest`. It is the SHA-256, as 64
lower-case hex digits, of a text with one line for each model file::

    <path> TAB <size in bytes, decimal> TAB <SHA-256 of the file, lower-case hex> LF

Every line ends in LF, the last one too. The path is relative to the version's folder, with
`/` between its parts, in UTF-8 and not normalised; lines are sorted by the bytes of the
path. Tabs and newlines cannot occur in a path, for a version with such a file is refused.

A version whose model is not the file `model.onnx` has a line `main TAB <path> LF` before
them, for the same files with another model in the middle answer otherwise.

Model files are the model and every other file of the version's folder and its
subfolders, but for `golden/` and names with a dot in front: neither new goldens nor a stray
`.DS_Store` make it another model. Nor does `config.pbtxt`, which lies outside the folder.
"""

from collections.abc import Iterable
from hashlib import sha256
from typing import BinaryIO, Final

from farm.core.models import ModelFile

READ_BYTES: Final = 1 << 20

MODEL_FILENAME: Final = "model.onnx"


def stream_digest(stream: BinaryIO) -> tuple[str, int]:
    """Read `stream` to its end, 1 MiB at a time; return its SHA-256 in hex and its bytes."""
    digest = sha256()
    size_bytes = 0
    while chunk := stream.read(READ_BYTES):
        digest.update(chunk)
        size_bytes += len(chunk)
    return digest.hexdigest(), size_bytes


def file_of(path: str, data: bytes) -> ModelFile:
    """Return the file at `path` that holds `data`."""
    return ModelFile(path=path, sha256=sha256(data).hexdigest(), size_bytes=len(data))


def canonical_text(files: Iterable[ModelFile]) -> str:
    """Return the text whose SHA-256 is the digest of a version with these model files."""
    ordered = sorted(files, key=lambda file: file.path.encode())
    return "".join(f"{file.path}\t{file.size_bytes}\t{file.sha256}\n" for file in ordered)


def version_digest(files: Iterable[ModelFile], *, main: str = MODEL_FILENAME) -> str:
    """Return the digest of a version with these model files, as 64 hex digits.

    `main` is the path of the one that is opened.
    """
    first = "" if main == MODEL_FILENAME else f"main\t{main}\n"
    return sha256(f"{first}{canonical_text(files)}".encode()).hexdigest()
