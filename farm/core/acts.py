"""What operators do to a farm, or try to."""

from dataclasses import dataclass

from farm.core.errors import ErrorCode
from farm.core.events import EventKind, Happening, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One call that was to change a farm, once it has ended.

    `actor` is whose call it was, by certificate or address, `subject` the node, model or host it
    was about. Without a `code` it was done; otherwise `reason` says why it was not.
    """

    action: str
    subject: str
    actor: str
    code: ErrorCode | None = None
    reason: str = ""

    @property
    def happening(self) -> Happening:
        """The act as an event."""
        told = f"{self.action}, by {self.actor}"
        return Happening(
            kind=EventKind.OPERATOR_ACTED,
            severity=Severity.INFO if self.code is None else Severity.WARNING,
            subject=self.subject,
            detail=told if self.code is None else f"{told}, failed: {self.reason}",
        )
