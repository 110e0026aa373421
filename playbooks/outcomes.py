"""What became of each host."""

from dataclasses import dataclass, field
from enum import StrEnum

from playbooks.transport import HostError


class HostStatus(StrEnum):
    """How a host came out of a run."""

    UNCHANGED = "unchanged"
    CHANGED = "changed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A command that was carried out, or in a dry run would be, in its step."""

    step: str
    command: str


@dataclass(slots=True, kw_only=True)
class HostRecord:
    """All that is known of one host's run so far; the runner writes it, the end is read.

    `step` is the last one that was begun. `error` ends the host's run.
    """

    host: str
    step: str = ""
    changes: list[Change] = field(default_factory=list)
    error: HostError | None = None
    # Given up without a fault of its own: why.
    skipped: str = ""

    @property
    def status(self) -> HostStatus:
        if self.error is not None:
            return HostStatus.FAILED
        if self.skipped:
            return HostStatus.SKIPPED
        return HostStatus.CHANGED if self.changes else HostStatus.UNCHANGED

    @property
    def going(self) -> bool:
        """Whether further steps are carried out on it."""
        return self.error is None and not self.skipped
