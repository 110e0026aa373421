"""A model repository: what lies in it now, what is wished of it, and its bytes."""

from collections.abc import Collection, Iterator
from pathlib import Path
from threading import Lock
from typing import Final

from farm.core.errors import FarmError, ModelNotFoundError
from farm.core.models import ModelArtifact
from farm.repository.artifacts import VersionReader
from farm.repository.blobs import RepositoryBlobs
from farm.repository.config_text import DeclaredConfig
from farm.repository.desired_state import DesiredState, Recorded, Wish
from farm.repository.fingerprints import fingerprint
from farm.repository.layout import is_model_folder, list_model, model_folders
from farm.repository.limits import RepositoryLimits
from farm.repository.listing import ModelListing
from farm.repository.names import name_problem, shown
from farm.repository.overrides import ModelOverride, OverrideStore, override_config

__all__ = ["ModelOverride", "Repository", "RepositoryLimits", "Wish"]

_OVERRIDES: Final = "overrides"


class Repository:
    """The models below a folder, with what operators loaded in their place.

    It is a `BlobSource` for whatever it has listed and not been told to forget. Any thread
    may call; looks at the disk take turns, `chunks` does not wait for them.
    """

    def __init__(
        self,
        root: Path,
        *,
        limits: RepositoryLimits | None = None,
        state_dir: Path | None,
        scratch_dir: Path,
    ) -> None:
        """Open a repository. Without a `state_dir` wishes last as long as the process.

        Raises:
            ConfigurationError: the file of wishes is damaged, and its copy; the message names it.
        """
        self._root = root
        self._limits = limits or RepositoryLimits()
        self._reader = VersionReader(self._limits)
        self._blobs = RepositoryBlobs()
        self._store = OverrideStore((state_dir or scratch_dir) / _OVERRIDES)
        self._desired = DesiredState(state_dir, self._store)
        # What each model's folder looked like when it was last listed.
        self._seen: dict[str, bytes] = {}
        self._looking = Lock()
        # Entries of the store by model, and the one that is being listed.
        self._entries: dict[str, set[str]] = {}
        self._listing_entry = ""
        self._bookkeeping = Lock()
        self._adopt_entries()

    def __repr__(self) -> str:
        return f"<Repository {len(self._seen)} models, {self._blobs!r}>"

    def scan(self, *, with_wishes: bool = True) -> tuple[ModelListing, ...]:
        """List every model, in ascending order of names, with what its wish puts in its place.

        Without wishes it lists only what lies in the repository. Blocks while files are
        hashed; those that have not changed since are not read again.

        Raises:
            ConfigurationError: the repository's folder cannot be read.
        """
        with self._looking:
            folders = frozenset(model_folders(self._root))
            wishes = self._desired.recorded if with_wishes else {}
            brought = {name for name, wish in wishes.items() if wish.entry}
            self._seen = {}
            names = sorted(brought | folders)
            listings: list[ModelListing] = []
            for index, name in enumerate(names):
                if name in folders:
                    self._seen[name] = fingerprint(self._root, name)
                if index < self._limits.max_models:
                    listings.append(self._list_wished(name, wishes.get(name)))
                else:
                    listings.append(self._too_many(name))
            return tuple(listings)

    def scan_model(self, name: str, override: ModelOverride | None = None) -> ModelListing:
        """List one model, or what it would be with an override. Blocks as `scan` does.

        An override of a config alone takes the repository's files. Wishes do not count: a
        load without an override is one of the repository's model.

        Raises:
            InvalidRequestError: the override is malformed.
            LoadFailedError: the override's files cannot be written.
            ModelNotFoundError: there is no such model, and no files make one.
        """
        config = None if override is None else override_config(name, override)
        with self._looking:
            before = self._seen.pop(name, None)
            exists = is_model_folder(self._root, name)
            if exists:
                self._seen[name] = fingerprint(self._root, name)
            if override is not None and override.files:
                if before is None and self._is_full(name):
                    return self._too_many(name)
                return self._list_brought(name, override, config)
            if not exists:
                raise ModelNotFoundError(
                    f"there is no model '{shown(name)}' in the repository; check its name, or add"
                    " its folder and load it again"
                )
            if before is None and self._is_full(name):
                return self._too_many(name)
            return self._list(self._root, name, config)

    @property
    def restored(self) -> str:
        """What was done about a file of wishes that was found damaged; empty if it was whole."""
        return self._desired.restored

    def has(self, name: str) -> bool:
        """Whether a model lies in the repository, whatever was loaded in its place."""
        return is_model_folder(self._root, name)

    def changed(self) -> frozenset[str]:
        """Return the models that were added, removed or changed since they were last listed.

        Looks at names, sizes and times only.

        Raises:
            ConfigurationError: the repository's folder cannot be read.
        """
        with self._looking:
            # A folder that cannot be a model is told of at the start, and not followed.
            now = {name: fingerprint(self._root, name) for name in model_folders(self._root)}
            return frozenset(
                name
                for name in now.keys() | self._seen.keys()
                if now.get(name) != self._seen.get(name) and name_problem(name) is None
            )

    def forget(self, name: str, keep: Collection[ModelArtifact] = ()) -> None:
        """Forget what was listed of a model, but for the artifacts that still may be served.

        To be called when a load has ended, well or not, and after an unload. The bytes of
        the others are no longer handed out, and files that their loads brought are deleted
        unless a wish holds them.
        """
        roots = self._blobs.keep_only(name, keep)
        with self._bookkeeping:
            wished = self._desired.recorded.get(name)
            for entry in tuple(self._entries.get(name, ())):
                wanted = wished is not None and wished.entry == entry
                if wanted or entry == self._listing_entry or self._store.root(entry) in roots:
                    continue
                self._store.remove(entry)
                self._entries[name].discard(entry)
            if not self._entries.get(name, True):
                del self._entries[name]

    def wish(self, name: str) -> Wish | None:
        """Return what was last wished of a model, or None if nothing was.

        Its files are read when they are asked for, and then raise `ConfigurationError` if
        they are gone or damaged.
        """
        return self._desired.wish(name)

    def record(self, name: str, wish: Wish | None) -> None:
        """Remember what is wished of a model, or with None forget it. Blocks until on disk.

        Raises:
            ConfigurationError: it cannot be written; the old wish stands.
            LoadFailedError: files of its override cannot be written; the old wish stands.
        """
        with self._bookkeeping:
            self._desired.record(name, wish)
            recorded = self._desired.recorded.get(name)
            if recorded is not None and recorded.entry:
                self._entries.setdefault(name, set()).add(recorded.entry)

    def chunks(self, sha256: str, chunk_bytes: int) -> Iterator[bytes]:
        """Yield the bytes of a file of something listed; see `RepositoryBlobs.chunks`.

        Raises:
            IntegrityError: no such file was listed, or it vanished or changed since.
        """
        return self._blobs.chunks(sha256, chunk_bytes)

    def _list_wished(self, name: str, wish: Recorded | None) -> ModelListing:
        """List a model as it was last loaded by hand, or as it lies in the repository."""
        if wish is None or wish.config is None:
            return self._list(self._root, name, None)
        try:
            self._desired.check(name)
            config = override_config(name, ModelOverride(config=wish.config))
        except FarmError as error:
            return ModelListing(name=name, refusal=error.message)
        root = self._store.root(wish.entry) if wish.entry else self._root
        return self._list(root, name, config)

    def _list_brought(
        self, name: str, override: ModelOverride, config: DeclaredConfig | None
    ) -> ModelListing:
        """List a model that is made of the files of an override."""
        with self._bookkeeping:
            entry, _ = self._store.put(name, override.files)
            self._entries.setdefault(name, set()).add(entry)
            self._listing_entry = entry
        try:
            return self._list(self._store.root(entry), name, config)
        finally:
            self._listing_entry = ""

    def _list(self, root: Path, name: str, config: DeclaredConfig | None) -> ModelListing:
        listing = list_model(root, name, reader=self._reader, config=config)
        for version in listing.available:
            self._blobs.add(root, version.artifact)
        return listing

    def _is_full(self, name: str) -> bool:
        names = self._seen.keys() | self._entries.keys()
        return len(names - {name}) >= self._limits.max_models

    def _too_many(self, name: str) -> ModelListing:
        return ModelListing(
            name=shown(name),
            refusal=f"the farm serves {self._limits.max_models} models, as many as"
            " repository.max_models sets; raise the setting or remove models",
        )

    def _adopt_entries(self) -> None:
        """Delete files of loads that no wish names: their gateway died before it could."""
        for name, wish in self._desired.recorded.items():
            if wish.entry:
                self._entries[name] = {wish.entry}
        wished = {wish.entry for wish in self._desired.recorded.values()}
        for entry in self._store.entries():
            if entry not in wished:
                self._store.remove(entry)
