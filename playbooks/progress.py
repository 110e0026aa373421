"""What is told while hosts are worked on."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class StepState(StrEnum):
    """Where a step of a host is."""

    READING = "reading"
    CHANGING = "changing"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepEvent:
    """A step of a host has come to `state`. `detail` is the command, or what went wrong."""

    host: str
    step: str
    state: StepState
    detail: str = ""


class Progress(Protocol):
    """Is told of every step of every host, from whatever thread works on it."""

    def told(self, event: StepEvent) -> None:
        """Take an event; it must not block."""
        ...


class Silence:
    """Progress that nobody looks at."""

    def told(self, event: StepEvent) -> None:
        return
