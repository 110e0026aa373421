"""What stands at paths of a host: files with their digests, folders, links."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from playbooks.commands import Result, sh
from playbooks.facts.base import Fact


class Kind(StrEnum):
    """What a path is; the letters are those of `find`."""

    FILE = "f"
    FOLDER = "d"
    LINK = "l"
    OTHER = "?"
    ABSENT = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileState:
    """`owner` is `user:group`; `sha256` is a file's, `target` a link's, "" for others."""

    kind: Kind = Kind.ABSENT
    mode: int = 0
    owner: str = ""
    size_bytes: int = 0
    sha256: str = ""
    target: str = ""

    @property
    def exists(self) -> bool:
        return self.kind is not Kind.ABSENT


ABSENT = FileState()

# One line a path; a link's target last, since it may hold anything.
_FORMAT = r"at %y %m %u:%g %s\t%p\t%l\n"
_LINE = re.compile(
    r"^at (?P<kind>\S) (?P<mode>[0-7]{1,4}) (?P<owner>\S+) (?P<size>[0-9]{1,18})"
    r"\t(?P<path>[^\t\n]+)\t(?P<target>[^\n]*)$",
    re.MULTILINE,
)
_DIGEST = re.compile(r"^([0-9a-f]{64})  (/[^\n]*)$", re.MULTILINE)


def _parse(told: Result) -> Mapping[str, FileState]:
    digests = {path: digest for digest, path in _DIGEST.findall(told.stdout)}
    return {
        found["path"]: FileState(
            kind=Kind(found["kind"]) if found["kind"] in "fdl" else Kind.OTHER,
            mode=int(found["mode"], 8),
            owner=found["owner"],
            size_bytes=int(found["size"]),
            sha256=digests.get(found["path"], "") if found["kind"] == "f" else "",
            target=found["target"],
        )
        for found in _LINE.finditer(told.stdout)
    }


def file_states(*paths: str) -> Fact[Mapping[str, FileState]]:
    """Return the question what stands at these absolute paths; what is absent is left out.

    Asked as root, because secrets are looked at too: by their digest alone.
    """
    found = sh("find", *paths, "-maxdepth", "0", "-printf", _FORMAT)
    return Fact(
        name=f"files {' '.join(paths)}",
        command=f"{found} 2>/dev/null\n{sh('sha256sum', '--', *paths)} 2>/dev/null\nexit 0",
        parse=_parse,
        sudo=True,
    )


def file_state(path: str) -> Fact[FileState]:
    """Return the question what stands at one absolute path."""
    states = file_states(path)
    return Fact(
        name=f"file {path}",
        command=states.command,
        parse=lambda told: states.parse(told).get(path, ABSENT),
        sudo=True,
    )


def tree(path: str, *, depth: int) -> Fact[Mapping[str, FileState]]:
    """Return the question what lies below a folder, by path relative to it, without digests."""

    def parse(told: Result) -> Mapping[str, FileState]:
        return {
            name.removeprefix(f"{path}/"): state
            for name, state in _parse(told).items()
            if name.startswith(f"{path}/")
        }

    limits = ("-mindepth", "1", "-maxdepth", str(depth))
    return Fact(
        name=f"tree {path} {depth}",
        command=sh("find", path, *limits, "-printf", _FORMAT),
        parse=parse,
        sudo=True,
    )


def file_text(path: str) -> Fact[str | None]:
    """Return the question for a file's text; None if it is absent. Not for secrets."""
    return Fact(
        name=f"text {path}",
        command=sh("cat", "--", path),
        parse=lambda told: told.stdout if told.exit_code == 0 else None,
        sudo=True,
    )
