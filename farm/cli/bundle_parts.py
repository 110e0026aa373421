"""What a support bundle is made of, and how it becomes a file without secrets."""

import io
import tarfile
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any, Final

from farm.cli.redaction import Redactor, secrets_in, secrets_of
from farm.cli.tables import SCHEMA_VERSION, json_text
from farm.core.errors import FarmError
from farm.core.private_files import PRIVATE

# Of a longer text the end is kept, where a log has what happened last.
MOST_CHARACTERS: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One file: `content` is text, or data that becomes JSON."""

    name: str
    content: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """What is not in the bundle, and why."""

    what: str
    why: str


@dataclass(slots=True)
class Gathering:
    """The parts so far, as they are: nothing is taken out of them yet.

    `secrets` are known from elsewhere, such as a file that is no part itself.
    """

    parts: list[Part] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    secrets: set[str] = field(default_factory=set)

    def add(self, name: str, make: Callable[[], Any]) -> bool:
        """Add what `make` returns; if it fails, a text of why. Return whether there is a part."""
        try:
            content = make()
        except FarmError as error:
            told = why = error.message
        # Somebody needs help: whatever else is wrong, the rest is of use.
        except Exception as error:
            why, told = f"{type(error).__name__}: {error}", traceback.format_exc().rstrip()
        else:
            self.parts.append(Part(name=name, content=content))
            return True
        error_name = str(PurePosixPath(name).with_suffix(".error.txt"))
        self.parts.append(Part(name=error_name, content=f"{told}\n"))
        self.leave_out(name, why)
        return False

    def leave_out(self, what: str, why: str) -> None:
        """Say what is not there."""
        self.left_out.append(LeftOut(what=what, why=why))

    def redactor(self, *, home: str, anonymize: bool) -> Redactor:
        """Return what takes all secrets out of all parts: those of one part from the others too."""
        secrets = set(self.secrets)
        for part in self.parts:
            if isinstance(part.content, str):
                secrets.update(secrets_in(part.content))
            else:
                secrets.update(secrets_of(part.content))
        return Redactor(secrets, home=home, anonymize=anonymize)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A bundle as it is handed on: the archive, the bytes of its files, what is not in it."""

    archive: bytes
    files: dict[str, int]
    left_out: tuple[LeftOut, ...]


def bundled(
    gathering: Gathering, redactor: Redactor, *, folder: str, made: datetime, version: str
) -> Bundle:
    """Return the gathering as a tar.gz whose files are in a folder and are their owner's alone."""
    files = [(part.name, _rendered(part.content, redactor)) for part in gathering.parts]
    bundle = Bundle(
        archive=b"",
        files={name: len(content) for name, content in files},
        left_out=tuple(replace(each, why=redactor.text(each.why)) for each in gathering.left_out),
    )
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "made_at": made.isoformat(timespec="seconds"),
        "farm_version": version,
        "anonymized": redactor.anonymizes,
        **document(bundle),
    }
    files.insert(0, ("manifest.json", _rendered(manifest, redactor)))
    return replace(bundle, archive=_archive(files, folder, made))


def document(bundle: Bundle) -> dict[str, Any]:
    """Return what is in a bundle and what is not, as JSON values."""
    return {
        "files": [{"name": name, "bytes": size} for name, size in bundle.files.items()],
        "left_out": [{"what": each.what, "why": each.why} for each in bundle.left_out],
    }


def _rendered(content: Any, redactor: Redactor) -> bytes:
    if isinstance(content, str):
        text = redactor.text(content)
        if len(text) > MOST_CHARACTERS:
            text = f"(the beginning is left out)\n{text[-MOST_CHARACTERS:]}"
    else:
        text = json_text(redactor.data(content), indent=2) + "\n"
    # What was taken out may have brought a secret together.
    return redactor.known(text).encode("utf-8", "replace")


def _archive(files: Sequence[tuple[str, bytes]], folder: str, made: datetime) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files:
            entry = tarfile.TarInfo(f"{folder}/{name}")
            entry.size, entry.mode, entry.mtime = len(content), PRIVATE, int(made.timestamp())
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
