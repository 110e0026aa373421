"""What is wrong, under the table of nodes."""

from collections.abc import Sequence
from dataclasses import dataclass

from textual import events
from textual.message import Message

from farm.core.events import Severity
from tui.glyphs import Glyphs
from tui.readings.alerts import Alert
from tui.readings.cell_text import Line, Role, clean, cut_off
from tui.widgets.lines import Lines
from tui.widgets.roles import role_css

_ROLES = {
    Severity.INFO: Role.MUTED,
    Severity.WARNING: Role.WARNING,
    Severity.ERROR: Role.ERROR,
}


_MARGINS = 2
# Alerts take this part of the screen at most: they must not hide what they are about.
_SHARE = 12


class AlertLine(Lines):
    """Alerts, a line each as far as there is room; one of them may be looked at."""

    DEFAULT_CSS = """
        AlertLine { height: 1; padding: 0 1; }
        """ + role_css("AlertLine")

    @dataclass
    class Chosen(Message):
        """An operator wants to see what an alert is about."""

        alert: Alert

    def __init__(self, glyphs: Glyphs, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._glyphs = glyphs
        self._alerts: Sequence[Alert] = ()
        self._first = 0

    def show(self, alerts: Sequence[Alert] | None, looked_at: int | None) -> None:
        """Show alerts, the one that is looked at among them; None where nothing is known."""
        if alerts is None:
            self.show_lines([])
            return
        self._alerts = alerts
        height = max(1, min(len(alerts), self.app.size.height // _SHARE))
        self.styles.height = height
        self._first = max(0, (looked_at or 0) - height + 1)
        if not alerts:
            self.show_lines([[("  no alerts", Role.MUTED)]])
            return
        seen = alerts[self._first : self._first + height]
        lines = [
            self._line(alert, marked=self._first + place == looked_at)
            for place, alert in enumerate(seen)
        ]
        if hidden := len(alerts) - len(seen):
            more = f"  and {hidden} more"
            room = self.app.size.width - _MARGINS - len(more)
            lines[-1] = [*cut_off(lines[-1], room, self._glyphs.cut), (more, Role.MUTED)]
        self.show_lines(lines)

    def on_click(self, event: events.Click) -> None:
        if self._first + event.y < len(self._alerts):
            self.post_message(self.Chosen(self._alerts[self._first + event.y]))

    def _line(self, alert: Alert, *, marked: bool) -> Line:
        role = _ROLES[alert.severity]
        return [
            (self._glyphs.marked if marked else " ", Role.PLAIN),
            (f"{self._glyphs.severities[alert.severity]} {clean(alert.subject)} ", role),
            (clean(alert.text), Role.PLAIN),
        ]
