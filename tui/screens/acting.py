"""Screens on which something can be done to the farm."""

from textual.content import Content
from textual.widgets import Static

from farm.core.text import printable
from tui.errands import Errand, ErrandState, Subject, Work
from tui.screens.farm_screen import FarmScreen
from tui.widgets.confirm import Confirm

# Characters of what came of an errand.
_LONGEST = 400
_STYLES = {
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
        &.-told { display: block; }
    }
    """

    def show(self, errand: Errand | None) -> None:
        """Show an errand; nothing where there was none."""
        self.set_class(errand is not None, "-told")
        if errand is not None:
            self.update(Content.assemble((_words(errand), _STYLES[errand.state])))


class ActingScreen(FarmScreen):
    """A screen with actions: each is confirmed, runs beside the screen and tells how it ended."""

    def refusal(self) -> str:
        """Return why nothing can be done here, "" where it can."""
        if self.top.options.read_only:
            return "this screen is read-only: start `farm top` without --read-only to change a farm"
        if self.top.operator is None:
            return f"{self.top.source.title} can only be looked at: nothing can be done there"
        return ""

    def act(self, subject: Subject, name: str, question: str, work: Work) -> None:
        """Do something if the operator agrees to it."""
        if refusal := self.refusal():
            self.notify(f"{name}: {refusal}", severity="warning", markup=False)
            return
        # It belongs to the app: an errand goes on when its screen is left.
        self.app.run_worker(self._act(subject, name, question, work), exit_on_error=False)

    async def _act(self, subject: Subject, name: str, question: str, work: Work) -> None:
        top = self.top
        if not await top.push_screen_wait(Confirm(question)) or top.operator is None:
            return
        errand = await top.errands.run(subject, name, work, top.operator)
        top.notify(
            _words(errand),
            severity="error" if errand.state is ErrandState.FAILED else "information",
            markup=False,
        )


def _words(errand: Errand) -> str:
    """Return what an errand is and how far."""
    told = "" if errand.state is ErrandState.RUNNING else f"{errand.state}: "
    return printable(f"{errand.name}: {told}{errand.text}", _LONGEST)
