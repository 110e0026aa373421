"""The bytes behind the digests of what was listed, for nodes that do not have them yet."""

import os
from collections.abc import Collection, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import sha256 as new_sha256
from pathlib import Path
from threading import Lock
from typing import BinaryIO

from farm.core.errors import IntegrityError, ModelUnavailableError
from farm.core.models import ModelArtifact
from farm.repository.files import open_regular
from farm.repository.names import shown


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a file lies: below a repository's root, as a path with `/` between its parts."""

    root: Path
    path: str
    size_bytes: int


class RepositoryBlobs:
    """A `BlobSource` over artifacts, which come and go by the name of their model.

    It keeps paths, no bytes and no open files. Files are opened with every check of the
    listing, so what was swapped for a link since is not followed. Any thread may call.
    """

    def __init__(self) -> None:
        # The artifacts of each model, and how many of them have a file in each place.
        self._artifacts: dict[str, set[tuple[Path, ModelArtifact]]] = {}
        self._places: dict[str, dict[_Place, int]] = {}
        self._lock = Lock()

    def __repr__(self) -> str:
        return f"<RepositoryBlobs {len(self._places)} digests>"

    def add(self, root: Path, artifact: ModelArtifact) -> None:
        """Hand out the files of an artifact that was listed in the repository at `root`."""
        with self._lock:
            known = self._artifacts.setdefault(artifact.key.name, set())
            if (root, artifact) in known:
                return
            known.add((root, artifact))
            for sha256, place in _places(root, artifact):
                places = self._places.setdefault(sha256, {})
                places[place] = places.get(place, 0) + 1

    def keep_only(self, name: str, artifacts: Collection[ModelArtifact]) -> frozenset[Path]:
        """Forget what the model `name` has beside `artifacts`; return the roots still used."""
        with self._lock:
            known = self._artifacts.pop(name, set())
            kept = {(root, artifact) for root, artifact in known if artifact in artifacts}
            for root, artifact in known - kept:
                for sha256, place in _places(root, artifact):
                    places = self._places[sha256]
                    places[place] -= 1
                    if not places[place]:
                        del places[place]
                    if not places:
                        del self._places[sha256]
            if kept:
                self._artifacts[name] = kept
            return frozenset(root for root, _ in kept)

    def chunks(self, sha256: str, chunk_bytes: int) -> Iterator[bytes]:
        """Yield the bytes of a file in order, `chunk_bytes` at a time, the last one shorter.

        The digest is known only when the file has been read, so whoever takes the bytes
        must not use them before the iterator has ended without an error.

        Raises:
            IntegrityError: no artifact has such a file, or it vanished or changed since.
            ValueError: `chunk_bytes` is less than 1.
        """
        if chunk_bytes < 1:
            raise ValueError(f"chunk_bytes is {chunk_bytes}, and must be 1 or more")
        with self._lock:
            # The newest first: what lies in the older places may have been overwritten.
            places = tuple(reversed(self._places.get(sha256, {})))
        if not places:
            raise IntegrityError(
                f"no model of the repository has a file with the digest '{shown(sha256)}';"
                " load the model again"
            )
        with ExitStack() as stack:
            place, stream = _open(places, stack)
            digest = new_sha256()
            remaining = place.size_bytes
            while chunk := stream.read(chunk_bytes):
                remaining -= len(chunk)
                if remaining < 0:
                    raise _changed(place)
                digest.update(chunk)
                yield chunk
            if digest.hexdigest() != sha256:
                raise _changed(place)


def _places(root: Path, artifact: ModelArtifact) -> Iterator[tuple[str, _Place]]:
    model = artifact.key.name
    version = f"{model}/{artifact.key.version}"
    for file in (*artifact.files, *artifact.goldens):
        yield file.sha256, _Place(root, f"{version}/{file.path}", file.size_bytes)
    for warmup in artifact.warmups:
        for file in (each.file for each in warmup.inputs if each.file is not None):
            yield file.sha256, _Place(root, f"{model}/{file.path}", file.size_bytes)


def _open(places: Collection[_Place], stack: ExitStack) -> tuple[_Place, BinaryIO]:
    """Open the first file that can still be the one; several versions may share it.

    Raises:
        IntegrityError: none can.
    """
    for place in places:
        try:
            stream = stack.enter_context(open_regular(place.root, place.path))
        except (OSError, ModelUnavailableError):
            continue
        if os.fstat(stream.fileno()).st_size == place.size_bytes:
            return place, stream
    raise _changed(next(iter(places)))


def _changed(place: _Place) -> IntegrityError:
    return IntegrityError(
        f"{shown(place.path)} was changed, moved or deleted after its model was loaded, while it"
        " was being served; put the old file back, or put the new model into a new version"
        " folder and load the model again"
    )
