"""Folders, files and links, brought to what they should be."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from playbooks.commands import Command, Put, Run, sh
from playbooks.facts.base import Facts
from playbooks.facts.files import ABSENT, FileState, Kind, file_states
from playbooks.steps.base import Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """A folder with exactly this mode and owner; what is in it is not looked at."""

    path: str
    mode: int = 0o755
    owner: str = "root:root"


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A symbolic link, replaced in one piece."""

    path: str
    target: str


def folders(name: str, wanted: Sequence[Folder], *, user: str = "root") -> Step:
    """Return a step that makes folders, outer ones first as they are listed.

    Those in a folder that a `user` can write to are made as that user, and are that user's: as
    root it would follow a link that was put in their place, and give away what that leads to.
    """
    states = file_states(*(folder.path for folder in wanted))

    def plan(facts: Facts) -> Iterator[Command]:
        known = facts[states]
        lacking: dict[tuple[int, str], list[str]] = {}
        for folder in wanted:
            state = known.get(folder.path, ABSENT)
            as_wanted = (Kind.FOLDER, folder.mode, folder.owner)
            if (state.kind, state.mode, state.owner) != as_wanted:
                lacking.setdefault((folder.mode, folder.owner), []).append(folder.path)
        for (mode, owner), paths in lacking.items():
            made = ["install", "-d", "-m", f"{mode:04o}"]
            if user == "root":
                owning, group = owner.split(":", 1)
                made += ["-o", owning, "-g", group]
            else:
                made = ["runuser", "-u", user, "--", *made]
            yield Run(text=sh(*made, *paths), sudo=True)

    return Step(name=name, reads=[states], plan=plan)


def files(name: str, wanted: Sequence[Put], *, then: Sequence[Run] = ()) -> Step:
    """Return a step that puts files, and runs `then` after it if it put any."""
    states = file_states(*(file.to for file in wanted))

    def plan(facts: Facts) -> Iterator[Command]:
        known = facts[states]
        stale = [file for file in wanted if not _is_as(known.get(file.to, ABSENT), file)]
        yield from stale
        if stale:
            yield from then

    return Step(name=name, reads=[states], plan=plan)


def links(name: str, wanted: Sequence[Link]) -> Step:
    """Return a step that makes symbolic links."""
    states = file_states(*(link.path for link in wanted))

    def plan(facts: Facts) -> Iterator[Command]:
        known = facts[states]
        for link in wanted:
            if known.get(link.path, ABSENT).target != link.target:
                beside = f"{link.path}.farm-new"
                yield Run(
                    text=f"{sh('ln', '-sfn', link.target, beside)}"
                    f" && {sh('mv', '-fT', beside, link.path)}",
                    sudo=True,
                )

    return Step(name=name, reads=[states], plan=plan)


def absent(
    name: str, paths: Sequence[str], *, first: Sequence[Run] = (), then: Sequence[Run] = ()
) -> Step:
    """Return a step that removes files and whole folders, between `first` and `then`.

    Nothing is run where nothing is removed. So what no interruption may leave undone, as
    long as something is there to tell of it, belongs into `first`.
    """
    states = file_states(*paths)

    def plan(facts: Facts) -> Iterator[Command]:
        found = [path for path in paths if path in facts[states]]
        if found:
            yield from first
            yield Run(text=sh("rm", "-rf", "--one-file-system", "--", *found), sudo=True)
            yield from then

    return Step(name=name, reads=[states], plan=plan)


def digest_of(content: bytes | Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal."""
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    with content.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_as(state: FileState, file: Put) -> bool:
    same = (state.kind, state.mode, state.owner) == (Kind.FILE, file.mode, file.owner)
    return same and state.sha256 == digest_of(file.content)
