"""What is done to a host: commands that are run there and files that are put there.

They are values without I/O, so that a plan can be shown, tested and carried out alike.
"""

import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A command of the POSIX shell; arguments in it went through `sh`.

    It runs as the SSH user, or as root with `sudo`. One that ends with another exit code than
    those in `expected` fails its step. `timeout_s` bounds it, the connection apart. `shown`
    is what plans and logs say in its place.
    """

    text: str
    sudo: bool = False
    timeout_s: float = 60.0
    expected: frozenset[int] = frozenset({0})
    shown: str = ""

    def __str__(self) -> str:
        return ("sudo " if self.sudo else "") + (self.shown or self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """A file's content, moved into place in one piece, owned and readable as told.

    `content` is the bytes or a file on the operator's machine. It is not shown, and nobody else
    can read it on its way.
    """

    content: bytes | Path = field(repr=False)
    to: str
    mode: int = 0o644
    owner: str = "root:root"

    def __str__(self) -> str:
        size = self.content.stat().st_size if isinstance(self.content, Path) else len(self.content)
        return f"put {self.to} ({size} bytes, {self.owner} {self.mode:04o})"


Command: TypeAlias = Run | Put


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of a `Run`. Text that is not UTF-8 has replacement characters."""

    stdout: str = ""
    stderr: str = ""
    exit_code: int = 0


def sh(*arguments: str | Path) -> str:
    """Return arguments as one line for the shell, each quoted where it must be."""
    return shlex.join(str(argument) for argument in arguments)


def script(*lines: str) -> str:
    """Return lines as one shell script that ends at the first one that fails."""
    return "\n".join(("set -e", *lines))
