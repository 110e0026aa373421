"""A content-addressed store of model files with a cap, for SD cards."""

import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from farm.core.errors import IntegrityError, InternalError, ModelUnavailableError
from farm.core.models import ModelArtifact, ModelFile


class ModelStore:
    """Files by digest in `blobs/`, and folders that link to them.

    A file becomes visible under its digest only after its bytes were checked. A model has
    its folder in `models/`; what one load tries it with has one in `trials/`. Folders link
    to blobs, so a model costs its size once, and a blob in a folder is not evicted.
    """

    def __init__(self, root: Path, *, max_bytes: int) -> None:
        self._blobs = root / "blobs"
        self._models = root / "models"
        self._trials = root / "trials"
        self._serial = 0
        self._partial = root / "partial"
        self._max_bytes = max_bytes
        # What the last process was in the middle of, and the folders of its models, whose
        # links would keep blobs from being evicted.
        for leftover in (self._models, self._trials, self._partial):
            shutil.rmtree(leftover, ignore_errors=True)
        for folder in (self._blobs, self._models, self._trials, self._partial):
            folder.mkdir(parents=True, exist_ok=True)

    def missing(self, sizes: Mapping[str, int]) -> tuple[str, ...]:
        """Return those digests of a model's files (with their bytes) that are not here yet.

        Raises:
            ModelUnavailableError: together they exceed the cap.
        """
        if sum(sizes.values()) > self._max_bytes:
            raise self._too_large(sum(sizes.values()))
        missing = []
        for digest in sizes:
            blob = self._blobs / _checked_digest(digest)
            if blob.exists():
                # Wanted again: it must not be what makes room for its siblings.
                os.utime(blob)
            else:
                missing.append(digest)
        return tuple(missing)

    def append(self, sha256: str, offset: int, chunk: bytes) -> None:
        """Write a chunk of a file; offset 0 begins it anew.

        Raises:
            IntegrityError: the chunk does not follow the ones before it.
            InternalError: the disk does not take it.
        """
        path = self._partial / _checked_digest(sha256)
        mode = "wb" if offset == 0 else "r+b"
        try:
            with _disk(), path.open(mode) as file:
                if file.seek(0, os.SEEK_END) != offset:
                    raise IntegrityError(f"a chunk of file {sha256[:12]} is missing; send it again")
                file.write(chunk)
        except FileNotFoundError as error:
            raise IntegrityError(f"file {sha256[:12]} was not begun; send it again") from error
        except InternalError:
            # Half of a file helps nobody, on a disk that is full least of all.
            with suppress(OSError):
                path.unlink(missing_ok=True)
            raise

    def commit(self, sha256: str) -> None:
        """Check a file that was written in chunks and keep it.

        Raises:
            IntegrityError: its bytes do not have this digest; they are thrown away.
            ModelUnavailableError: it does not fit under the cap.
        """
        path = self._partial / _checked_digest(sha256)
        if _digest_of(path) != sha256:
            path.unlink()
            raise IntegrityError(f"file {sha256[:12]} arrived damaged; send it again")
        with _disk():
            try:
                self._make_room(path.stat().st_size)
            except ModelUnavailableError:
                path.unlink()
                raise
            path.replace(self._blobs / sha256)

    def install(self, artifact: ModelArtifact) -> Path:
        """Return a folder that holds the model's files, each one verified.

        Raises:
            IntegrityError: a file is missing or damaged; a folder that was there before
                stays as it was.
            InternalError: the disk does not take it.
        """
        self._verify(artifact.files, artifact)
        folder = self._models / _checked_digest(artifact.digest)
        shutil.rmtree(folder, ignore_errors=True)
        with _disk():
            self._fill(folder, artifact.files)
        return folder

    def stage(self, artifact: ModelArtifact) -> Path:
        """Return a new folder that holds what to try the model with: goldens, warm-up data.

        Raises:
            IntegrityError: a file is missing or damaged.
        """
        files = artifact.blobs[len(artifact.files) :]
        self._verify(files, artifact)
        self._serial += 1
        folder = self._trials / str(self._serial)
        with _disk():
            self._fill(folder, files)
        return folder

    def discard(self, folder: Path) -> None:
        """Forget what `stage` made."""
        shutil.rmtree(folder, ignore_errors=True)

    def remove(self, digest: str) -> None:
        """Forget a model's folder; its blobs stay until room is needed."""
        shutil.rmtree(self._models / _checked_digest(digest), ignore_errors=True)

    def _verify(self, files: Sequence[ModelFile], artifact: ModelArtifact) -> None:
        for file in files:
            _safe_path(file)
            blob = self._blobs / _checked_digest(file.sha256)
            if not _is_whole(blob, file.sha256):
                with _disk():
                    blob.unlink(missing_ok=True)
                raise IntegrityError(
                    f"file '{file.path}' of model '{artifact.key}' is damaged on this node; it is"
                    " fetched again at the next load"
                )

    def _fill(self, folder: Path, files: Sequence[ModelFile]) -> None:
        folder.mkdir(parents=True)
        # Two warm-ups may read the same file.
        for path, file in {_safe_path(file): file for file in files}.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            blob = self._blobs / file.sha256
            os.utime(blob)
            _link(blob, target)

    def _make_room(self, needed: int) -> None:
        """Delete the least recently used blobs that no model uses until `needed` bytes fit."""
        blobs = [(path, path.stat()) for path in self._blobs.iterdir()]
        used = sum(stat.st_size for _, stat in blobs)
        for path, stat in sorted(blobs, key=lambda item: item[1].st_mtime):
            if used + needed <= self._max_bytes:
                return
            if stat.st_nlink == 1:
                path.unlink()
                used -= stat.st_size
        if used + needed > self._max_bytes:
            raise self._too_large(needed)

    def _too_large(self, needed: int) -> ModelUnavailableError:
        return ModelUnavailableError(
            f"{needed} more bytes do not fit in this node's model store of {self._max_bytes} bytes;"
            " unload a model or raise max_store_bytes"
        )


def verify(path: Path, sha256: str) -> None:
    """Check a file's digest once more, right before it is used.

    Raises:
        IntegrityError: the file was changed since it was stored.
    """
    if _digest_of(path) != sha256:
        raise IntegrityError(f"file '{path.name}' was changed on this node since it was stored")


def _is_whole(blob: Path, sha256: str) -> bool:
    """Whether a blob is a file of its own with these bytes; no link leads out of the store."""
    try:
        return not blob.is_symlink() and _digest_of(blob) == sha256
    except OSError:
        return False


@contextmanager
def _disk() -> Iterator[None]:
    """Say in words that the disk is full, read-only or broken."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise InternalError(
            f"the node's disk does not take the model's files ({error.strerror}); free or repair it"
        ) from error


def _digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _checked_digest(sha256: str) -> str:
    """Return a digest that is safe as a file name."""
    if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
        raise IntegrityError("a digest must be 64 lower-case hexadecimal digits")
    return sha256


def _safe_path(file: ModelFile) -> PurePosixPath:
    path = PurePosixPath(file.path)
    if path.is_absolute() or ".." in path.parts:
        raise IntegrityError(f"file path '{file.path}' leaves the model's folder")
    return path


def _link(blob: Path, target: Path) -> None:
    try:
        target.hardlink_to(blob)
    except OSError:
        shutil.copyfile(blob, target)
