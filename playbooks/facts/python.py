"""The Python that a host brings along."""

from dataclasses import dataclass

from playbooks.commands import Result
from playbooks.facts.base import Fact
from playbooks.facts.reading import pairs, whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Python:
    """`version` is major, minor and patch, None without a Python; `path` is what runs it."""

    version: tuple[int, int, int] | None = None
    path: str = ""

    @property
    def minor(self) -> tuple[int, int] | None:
        """What wheels are built for."""
        return None if self.version is None else self.version[:2]


def _parse(told: Result) -> Python:
    said = pairs(told.stdout)
    parts = [whole(part) for part in said.get("version", "").split(".")]
    numbers = [part for part in parts if part is not None]
    if len(numbers) != 3 or len(parts) != 3:
        return Python()
    return Python(version=(numbers[0], numbers[1], numbers[2]), path=said.get("path", ""))


PYTHON = Fact(
    name="python",
    command="""python3 -c '
import sys
print("version=%d.%d.%d" % sys.version_info[:3])
print("path=" + sys.executable)
'
""",
    parse=_parse,
)
