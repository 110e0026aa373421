"""The bytes behind the digests of a listing, for nodes that do not have them yet."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from hashlib import sha256 as new_sha256
from typing import BinaryIO

from farm.core.errors import IntegrityError, ModelUnavailableError
from farm.repository.files import open_regular
from farm.repository.listing import RepositoryListing
from farm.repository.names import shown


class RepositoryBlobs:
    """A `BlobSource` over the available versions of one listing.

    It keeps paths, no bytes and no open files. Files are opened with every check of the
    listing, so what was swapped for a link since is not followed.
    """

    def __init__(self, listing: RepositoryListing) -> None:
        self._root = listing.root
        self._sizes: dict[str, int] = {}
        self._paths: dict[str, list[str]] = {}
        for version in listing.available:
            artifact = version.artifact
            folder = f"{artifact.key.name}/{artifact.key.version}"
            for file in (*artifact.files, *artifact.goldens):
                self._sizes[file.sha256] = file.size_bytes
                self._paths.setdefault(file.sha256, []).append(f"{folder}/{file.path}")

    def __repr__(self) -> str:
        return f"<RepositoryBlobs {len(self._paths)} digests>"

    def chunks(self, sha256: str, chunk_bytes: int) -> Iterator[bytes]:
        """Yield the bytes of a file in order, `chunk_bytes` at a time, the last one shorter.

        The digest is known only when the file has been read, so whoever takes the bytes
        must not use them before the iterator has ended without an error.

        Raises:
            IntegrityError: no version of the listing has such a file, or it vanished or
                changed since.
            ValueError: `chunk_bytes` is less than 1.
        """
        if chunk_bytes < 1:
            raise ValueError(f"chunk_bytes is {chunk_bytes}, and must be 1 or more")
        if sha256 not in self._paths:
            raise IntegrityError(
                f"no model of the repository has a file with the digest '{shown(sha256)}';"
                " load the model again"
            )
        with ExitStack() as stack:
            path, stream = self._open(sha256, stack)
            digest = new_sha256()
            remaining = self._sizes[sha256]
            while chunk := stream.read(chunk_bytes):
                remaining -= len(chunk)
                if remaining < 0:
                    raise _changed(path)
                digest.update(chunk)
                yield chunk
            if digest.hexdigest() != sha256:
                raise _changed(path)

    def _open(self, sha256: str, stack: ExitStack) -> tuple[str, BinaryIO]:
        """Open the first file that can still be the one; several versions may share it.

        Raises:
            IntegrityError: none can.
        """
        for path in self._paths[sha256]:
            try:
                stream = stack.enter_context(open_regular(self._root, path))
            except (OSError, ModelUnavailableError):
                continue
            if os.fstat(stream.fileno()).st_size == self._sizes[sha256]:
                return path, stream
        raise _changed(self._paths[sha256][0])


def _changed(path: str) -> IntegrityError:
    return IntegrityError(
        f"{shown(path)} was changed, moved or deleted after its model was loaded, while it was"
        " being served; put the old file back, or put the new model into a new version folder"
        " and load the model again"
    )
