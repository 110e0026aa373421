"""What the operator asked of nodes and models, and what came of it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, TypeAlias

from farm.core.errors import FarmError, RequestCancelledError
from tui.sources.source import Operator

# A node or a model, by name: the versions of a model are loaded together.
Subject: TypeAlias = tuple[Literal["node", "model"], str]

# Says how far an errand is.
Say: TypeAlias = Callable[[str], None]
# Does an errand and returns what came of it, in words; raises FarmError.
Work: TypeAlias = Callable[[Operator, Say], Awaitable[str]]


class ErrandState(StrEnum):
    """Whether an errand is still on its way."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """Something that was asked, `name` such as "drain pi-01"; `text` is how far it is."""

    name: str
    state: ErrandState
    text: str


class Errands:
    """The latest errand of every subject, which outlives the screen that asked for it.

    One that is followed by another goes on, but the later one is shown.
    """

    def __init__(self) -> None:
        self._numbers = 0
        self._latest: dict[Subject, tuple[int, Errand]] = {}

    def latest(self, subject: Subject) -> Errand | None:
        """Return what was last asked of a node or model."""
        known = self._latest.get(subject)
        return known[1] if known else None

    @property
    def running(self) -> list[str]:
        """What is under way, in words."""
        errands = [errand for _, errand in self._latest.values()]
        return [errand.name for errand in errands if errand.state is ErrandState.RUNNING]

    async def run(self, subject: Subject, name: str, work: Work, operator: Operator) -> Errand:
        """Do an errand and return how it ended; a failure is told in it."""
        self._numbers += 1
        number = self._numbers

        def tell(state: ErrandState, text: str) -> Errand:
            errand = Errand(name=name, state=state, text=text)
            if number >= self._latest.get(subject, (0,))[0]:
                self._latest[subject] = (number, errand)
            return errand

        def say(text: str) -> None:
            tell(ErrandState.RUNNING, text)

        tell(ErrandState.RUNNING, "under way")
        try:
            text = await work(operator, say)
        except RequestCancelledError:
            return tell(
                ErrandState.FAILED,
                "the connection was lost meanwhile; it may be done all the same, so look before"
                " you ask again",
            )
        except FarmError as error:
            return tell(ErrandState.FAILED, error.message)
        except Exception as error:
            return tell(ErrandState.FAILED, f"this screen has a defect: {error!r}")
        return tell(ErrandState.DONE, text)
