"""What is known of files by reading them, kept for as long as they do not change.

A repository of 150 models is looked at again and again, and hashing it each time would
keep a core busy. A file that has the same inode, size and times is not read again.
"""

from pathlib import Path
from typing import Final, TypeVar

from farm.repository.digests import stream_digest
from farm.repository.files import Signature, being_written, open_regular, signature, unreadable
from farm.repository.onnx_header import OnnxHeader, read_header

_MAX_ENTRIES: Final = 100_000

_Fact = TypeVar("_Fact")


class FileFacts:
    """Digests and ONNX headers of files. Used by one thread at a time."""

    def __init__(self) -> None:
        # Both by path; what is forgotten is only read once more.
        self._digests: dict[Path, tuple[Signature, str]] = {}
        self._headers: dict[Path, tuple[Signature, OnnxHeader]] = {}

    def digest(self, root: Path, path: str) -> tuple[str, int]:
        """Return the SHA-256 in hex and the size in bytes of the file at `path` under `root`.

        Raises:
            ModelUnavailableError: as `open_regular`, and if the file is missing or was being
                written while it was read.
        """
        try:
            with open_regular(root, path) as stream:
                now = signature(stream)
                known = self._digests.get(root / path)
                if known is not None and known[0] == now:
                    return known[1], now.size_bytes
                sha256, size_bytes = stream_digest(stream)
                if size_bytes != now.size_bytes or signature(stream) != now:
                    raise being_written(path)
        except OSError as error:
            raise unreadable(path, error) from error
        _keep(self._digests, root / path, (now, sha256))
        return sha256, size_bytes

    def header(self, root: Path, path: str, max_operators: int) -> OnnxHeader:
        """Return the header of the ONNX file at `path` under `root`, hashed before.

        Raises:
            ModelUnavailableError: as `read_header`, and if the file has changed since it was
                hashed.
        """
        try:
            with open_regular(root, path) as stream:
                now = signature(stream)
                hashed = self._digests.get(root / path)
                if hashed is not None and hashed[0] != now:
                    raise being_written(path)
                known = self._headers.get(root / path)
                if known is not None and known[0] == now:
                    return known[1]
                header = read_header(stream, where=path, max_operators=max_operators)
        except OSError as error:
            raise unreadable(path, error) from error
        _keep(self._headers, root / path, (now, header))
        return header


def _keep(entries: dict[Path, _Fact], path: Path, entry: _Fact) -> None:
    if len(entries) >= _MAX_ENTRIES:
        entries.clear()
    entries[path] = entry
