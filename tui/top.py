"""What screens, widgets and commands ask of the app that shows them."""

from typing import Protocol

from textual.signal import Signal

from tui.choices import Choices
from tui.defects import Defects
from tui.errands import Errands
from tui.glyphs import Glyphs
from tui.options import TopOptions
from tui.sources.source import Operator, Source
from tui.store import Store


class Top(Protocol):
    """The app. It knows its screens; they know no more of it than this.

    `updated` is published at most once a frame, when the store has changed. `operator` is None
    where nothing can be done. `choices` are kept for the next start.
    """

    source: Source
    operator: Operator | None
    options: TopOptions
    choices: Choices
    glyphs: Glyphs
    store: Store
    errands: Errands
    defects: Defects
    updated: Signal[Store]

    @property
    def refusal(self) -> str:
        """Why nothing can be done to the farm from here; empty where it can."""
        ...

    def now(self) -> float:
        """Return the moment by the screen's clock, in seconds."""
        ...

    def tell_defect(self, error: Exception) -> None:
        """Say that something failed that should not, and keep what mends it."""
        ...

    def catch_up(self) -> None:
        """Let the store have what came since the last frame."""
        ...

    def unix_ns(self) -> int:
        """Return the moment by the operator's wall clock."""
        ...

    def open_node(self, node_id: str) -> None:
        """Show a node in depth."""
        ...

    def open_model(self, name: str) -> None:
        """Show a model in depth."""
        ...

    def use_theme(self, name: str) -> None:
        """Change the colours, unless there are to be none."""
        ...
