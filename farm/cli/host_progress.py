"""Shows on standard error what is being done to hosts, and what became of each."""

import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playbooks.progress import StepEvent

# In words as well as in colour, which not everybody sees.
_STYLES = {"changing": "yellow", "changed": "green", "failed": "bold red", "reading": "dim"}

_DETAIL = 60


class LineProgress:
    """One line for each step that changed something or failed: for logs and pipes."""

    def __init__(self) -> None:
        self._writing = threading.Lock()

    def told(self, event: "StepEvent") -> None:
        if event.state not in ("changed", "failed"):
            return
        detail = f": {event.detail}" if event.detail else ""
        with self._writing:
            sys.stderr.write(f"{event.host}: {event.step}: {event.state}{detail}\n")
            sys.stderr.flush()


class LiveProgress:
    """A row a host that changes in place: for terminals."""

    def __init__(self, hosts: Sequence[str]) -> None:
        self._writing = threading.Lock()
        self._latest: dict[str, StepEvent | None] = dict.fromkeys(hosts)
        self._changed = dict.fromkeys(hosts, 0)

    def told(self, event: "StepEvent") -> None:
        with self._writing:
            self._latest[event.host] = event
            if event.state == "changed":
                self._changed[event.host] += 1

    def __rich__(self) -> Any:
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 2))
        with self._writing:
            for host, event in self._latest.items():
                if event is None:
                    table.add_row(host, Text("waiting", style="dim"), "", "")
                    continue
                state = Text(str(event.state), style=_STYLES.get(str(event.state), ""))
                detail = " ".join(event.detail.split())[:_DETAIL]
                table.add_row(host, event.step, state, Text(detail, style="dim"))
        return table


@contextmanager
def shown_progress(hosts: Sequence[str]) -> "Iterator[LineProgress | LiveProgress]":
    """Show progress for as long as the work lasts: live on a terminal, else line by line."""
    from rich.console import Console
    from rich.live import Live

    console = Console(stderr=True)
    if not console.is_terminal:
        yield LineProgress()
        return
    live = LiveProgress(hosts)
    with Live(live, console=console, refresh_per_second=8):
        yield live
