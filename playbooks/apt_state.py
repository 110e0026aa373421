"""What apt knows on a host, so that the operator's apt can tell what it lacks."""

import base64
import binascii
import gzip
import hashlib
import io
import re
import tarfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from playbooks.commands import Result, sh
from playbooks.facts.base import Fact

# Ten times what a desktop with thousands of packages has.
_MAX_BYTES: Final = 64 * 2**20

# Only data. A host's apt.conf can name commands, which would run on the operator's machine.
_PATHS: Final = (
    "var/lib/dpkg/status",
    "etc/apt/sources.list",
    "etc/apt/sources.list.d",
    "etc/apt/preferences",
    "etc/apt/preferences.d",
    "etc/apt/trusted.gpg",
    "etc/apt/trusted.gpg.d",
    "etc/apt/keyrings",
    "usr/share/keyrings",
)
_EXPECTED: Final = re.compile(rf"(?:{'|'.join(map(re.escape, _PATHS))})(?:/[^/.][^/]*)?")

_ONE_LINE_SOURCE: Final = re.compile(r"\s*deb\s+(?:\[[^\]]*\]\s*)?https?://")
_URIS: Final = re.compile(r"^URIs:((?:.*)(?:\n[ \t].*)*)", re.MULTILINE | re.IGNORECASE)
# Where keyrings are in an option or field that says which one signs a source.
_KEYRING: Final = re.compile(r"(?<=[\s=,])/(?=(?:usr/share/keyrings|etc/apt)/)")


@dataclass(frozen=True, slots=True, kw_only=True)
class AptState:
    """A host's package database, sources and the keys that sign them, by relative path."""

    architecture: str
    files: Mapping[str, bytes]

    @property
    def digest(self) -> str:
        """A digest of all of it: hosts with the same one lack the same packages."""
        whole = hashlib.sha256(self.architecture.encode())
        for path, content in sorted(self.files.items()):
            whole.update(f"\n{path} {len(content)}\n".encode() + content)
        return whole.hexdigest()

    def lay_out(self, root: Path) -> None:
        """Write the files below a root, with sources that find their keyrings there."""
        for path, content in self.files.items():
            file = root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            if path.endswith(".list"):
                file.write_text(one_line_sources(content.decode(errors="replace"), root))
            elif path.endswith(".sources"):
                file.write_text(stanza_sources(content.decode(errors="replace"), root))
            else:
                file.write_bytes(content)


def apt_state() -> Fact[AptState | None]:
    """Return the question for a host's apt; None where there is no apt.

    The answer has some hundred kilobytes: to be asked only where a package is missing.
    """
    packed = sh("tar", "-chzf", "-", "-C", "/", "--ignore-failed-read", *_PATHS)
    return Fact(
        name="apt state",
        command=f"dpkg --print-architecture && {packed} 2>/dev/null | base64",
        parse=parse_apt_state,
    )


def parse_apt_state(told: Result) -> AptState | None:
    """Read the answer; what nobody asked for is left out."""
    architecture, _, packed = told.stdout.strip().partition("\n")
    if not re.fullmatch(r"[a-z0-9]+", architecture):
        return None
    files: dict[str, bytes] = {}
    try:
        with gzip.open(io.BytesIO(base64.b64decode(packed))) as unpacked:
            content = unpacked.read(_MAX_BYTES + 1)
        if len(content) > _MAX_BYTES:
            return None
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            for member in archive:
                data = archive.extractfile(member) if member.isreg() else None
                if data is not None and _EXPECTED.fullmatch(member.name):
                    files[member.name] = data.read()
    except (binascii.Error, OSError, EOFError, ValueError, tarfile.TarError, zlib.error):
        return None
    if "var/lib/dpkg/status" not in files:
        return None
    return AptState(architecture=architecture, files=files)


def one_line_sources(text: str, root: Path) -> str:
    """Return the lines of a `.list` that name packages on the network, keyrings below root.

    Others are left out: a path, a device or a command is the host's, not the operator's.
    """
    kept = [line for line in text.splitlines() if _ONE_LINE_SOURCE.match(line)]
    return "".join(f"{_KEYRING.sub(f'{root}/', line)}\n" for line in kept)


def stanza_sources(text: str, root: Path) -> str:
    """Return the stanzas of a `.sources` that name packages on the network, likewise."""
    kept = []
    for stanza in re.split(r"\n(?:[ \t]*\n)+", text):
        uris = _URIS.search(stanza)
        if uris and all(re.match(r"https?://", uri) for uri in uris[1].split()):
            kept.append(_KEYRING.sub(f"{root}/", stanza).strip("\n"))
    return "\n\n".join(kept) + "\n"
