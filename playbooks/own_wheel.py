"""The farm's own wheel, made from what is installed here: the code that bootstraps is what runs.

A wheel install and an editable checkout give the same: the packages as they lie on the disk,
with the metadata that pip wrote when it installed them. No build tool is needed.
"""

import base64
import hashlib
import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from importlib import resources
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from importlib.resources.abc import Traversable

from farm import __version__
from farm.core.errors import ConfigurationError
from playbooks.cache import CachedFile
from playbooks.wheelhouse import Wheelhouse

NAME = "bramble-farm"
_PACKAGES = ("farm", "playbooks", "tui")
# What pip wrote about this installation rather than about the package.
_OF_THE_INSTALLATION = {"RECORD", "INSTALLER", "REQUESTED", "WHEEL", "direct_url.json"}
_WHEEL = """\
Wheel-Version: 1.0
Generator: bramble-farm
Root-Is-Purelib: true
Tag: py3-none-any
Build: {build}
"""
# The oldest date that a zip archive can hold, so that equal files give equal bytes.
_DATE = (1980, 1, 1, 0, 0, 0)


def own_wheel(wheelhouse: Wheelhouse) -> CachedFile:
    """Return a wheel of the farm as it is installed here; the same files give the same bytes.

    Its name has a digest of them as its build tag, for two states of a checkout have one
    version.

    Raises:
        ConfigurationError: it runs from a folder that was never installed.
    """
    name = f"{NAME.replace('-', '_')}-{__version__}"
    info = f"{name}.dist-info"
    files = dict(_code()) | dict(_metadata(info))
    # A build tag begins with a digit.
    build = f"0{hashlib.sha256(_archive(files, f'{info}/RECORD')).hexdigest()[:8]}"
    files[f"{info}/WHEEL"] = _WHEEL.format(build=build).encode()
    return wheelhouse.add(f"{name}-{build}-py3-none-any.whl", _archive(files, f"{info}/RECORD"))


def _code() -> Iterator[tuple[str, bytes]]:
    for package in _PACKAGES:
        yield from _files_of(resources.files(package), package)


def _files_of(folder: Traversable, path: str) -> Iterator[tuple[str, bytes]]:
    for entry in folder.iterdir():
        inner = f"{path}/{entry.name}"
        # Caches, and what editors and other tools leave in a checkout.
        if entry.name.startswith(".") or entry.name.endswith((".pyc", "~")):
            continue
        if entry.is_file():
            yield inner, entry.read_bytes()
        elif entry.is_dir() and entry.name != "__pycache__":
            yield from _files_of(entry, inner)


def _metadata(folder: str) -> Iterator[tuple[str, bytes]]:
    try:
        installed: Distribution = distribution(NAME)
    except PackageNotFoundError:
        raise ConfigurationError(
            f"{NAME} is not installed in this environment, so there is nothing to push to hosts: "
            "run `pip install -e .` in its checkout"
        ) from None
    for file in installed.files or ():
        root, _, inner = file.as_posix().partition("/")
        if root.endswith(".dist-info") and inner and inner not in _OF_THE_INSTALLATION:
            yield f"{folder}/{inner}", file.read_binary()
    # In a checkout the code can be a version ahead of what was installed.
    metadata = re.sub(
        r"^Version: .*$",
        f"Version: {__version__}",
        installed.read_text("METADATA") or "",
        count=1,
        flags=re.M,
    )
    yield f"{folder}/METADATA", metadata.encode()


def _archive(files: Mapping[str, bytes], record: str) -> bytes:
    """Return a wheel of files. It is not compressed: what that gives depends on the zlib."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        for path, data in (*sorted(files.items()), (record, _record(files.items(), record))):
            entry = zipfile.ZipInfo(path, _DATE)
            entry.create_system = 3  # Unix, wherever it is made.
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, data)
    return content.getvalue()


def _record(files: Iterable[tuple[str, bytes]], record: str) -> bytes:
    lines = [
        f"{path},sha256={_urlsafe(hashlib.sha256(data).digest())},{len(data)}"
        for path, data in sorted(files)
    ]
    return "".join(f"{line}\n" for line in (*lines, f"{record},,")).encode()


def _urlsafe(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
