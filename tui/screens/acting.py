"""Screens on which something can be done to the farm."""

from dataclasses import replace
from typing import Final, cast

from textual.content import Content
from textual.widgets import Static

from farm.core.text import printable
from tui.errands import Errand, ErrandState, Subject, Work
from tui.readings import quantities
from tui.readings.questions import Question
from tui.screens.farm_screen import FarmScreen
from tui.sources.source import Operator
from tui.top import Top
from tui.widgets.confirm import Confirm

_LOOK_S: Final = 0.25
# Characters of what came of an errand.
_LONGEST: Final = 400
_STYLES: Final = {
    ErrandState.RUNNING: "$text-accent",
    ErrandState.DONE: "$text-success",
    ErrandState.FAILED: "$text-error",
}


class OutcomeLine(Static):
    """How far the latest errand is, or how it ended; it stays until the next one."""

    DEFAULT_CSS = """
    OutcomeLine {
        height: auto;
        max-height: 3;
        display: none;
        &.told { display: block; }
    }
    """

    def __init__(self, subject: Subject) -> None:
        super().__init__()
        self._subject = subject
        self._shown: Errand | None = None

    def on_mount(self) -> None:
        self._look()
        self.set_interval(_LOOK_S, self._look)

    def _look(self) -> None:
        """Show the latest errand where that has changed."""
        errand = cast(Top, self.app).errands.latest(self._subject)
        if errand is not None and errand != self._shown:
            self._shown = errand
            self.add_class("told")
            self.update(Content.assemble((_words(errand), _STYLES[errand.state])))


class ActingScreen(FarmScreen):
    """A screen with actions: each is confirmed, runs beside the screen and tells how it ended."""

    def refused(self, name: str) -> bool:
        """Whether nothing can be done from here, which is told."""
        refusal = self.top.refusal
        if refusal:
            self.notify(f"{name}: {refusal}", severity="warning", markup=False)
        return bool(refusal)

    def act(self, subject: Subject, name: str, question: Question, work: Work) -> None:
        """Do something if the operator agrees to it."""
        top, now = self.top, self.top.now()
        if not self.is_active:
            # The key was pressed twice, and the question is there.
            return
        consequence = question.consequence
        if top.store.stale(now):
            consequence += f" That was so {quantities.age(top.store.age_s(now))} ago."

        def answered(yes: bool | None) -> None:
            if yes and (operator := top.operator) is not None:
                # It belongs to the app: an errand goes on when its screen is left.
                self.app.run_worker(self._run(subject, name, work, operator), exit_on_error=False)

        self.app.push_screen(Confirm.of(replace(question, consequence=consequence)), answered)

    async def _run(self, subject: Subject, name: str, work: Work, operator: Operator) -> None:
        errand = await self.top.errands.run(subject, name, work, operator)
        failed = errand.state is ErrandState.FAILED
        self.app.notify(_words(errand), severity="error" if failed else "information", markup=False)


def _words(errand: Errand) -> str:
    """Return what an errand is and how far."""
    told = "" if errand.state is ErrandState.RUNNING else f"{errand.state}: "
    return printable(f"{errand.name}: {told}{errand.text}", _LONGEST)
