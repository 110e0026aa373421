"""The operator's screen."""

from asyncio import get_running_loop
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from os import getppid
from pathlib import Path
from signal import SIG_DFL, SIGHUP, SIGTERM, signal
from threading import Event, Thread
from time import monotonic, time_ns
from typing import Any, ClassVar, Final

from textual.binding import BindingType
from textual.filter import LineFilter, NoColor
from textual.screen import Screen
from textual.signal import Signal
from textual.widgets import Input

from tui.choice_keeping import keep_choices
from tui.commands import FarmCommands
from tui.errands import Errands
from tui.forgiving_app import ForgivingApp
from tui.glyphs import glyphs
from tui.harmless import Harmless
from tui.inbox import Inbox
from tui.keys import bound
from tui.options import TopOptions
from tui.plain_text import PlainText
from tui.readings import questions
from tui.screens.overview import Overview
from tui.sources.source import (
    LinkChanged,
    LinkState,
    Operator,
    Player,
    SnapshotCame,
    Source,
    Update,
)
from tui.store import Store
from tui.theme import DARK, LIGHT, PLAIN, THEMES
from tui.widgets.confirm import Confirm

# Ages are told in seconds, so nothing has to be painted more often where nothing comes.
_IDLE_S: Final = 1.0
# A load or a restart takes a thread for minutes, and what is looked at meanwhile needs one too;
# asyncio has six of them where there are two cores.
_THREADS: Final = 32
# How far a key seeks in a recording, in its own time at the speed of life.
_SEEK_S: Final = 10.0

_REPLAY: Final = frozenset({"pause", "slower", "faster", "seek"})


class FarmTop(ForgivingApp):
    """Shows one farm. `operator` is None where nothing can be done: a recording, a simulation."""

    TITLE = "farm top"
    CSS_PATH = sorted((Path(__file__).parent / "styles").glob("*.tcss"))
    COMMANDS = {FarmCommands}  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        bound("help", show=True),
        bound("palette", "command_palette", show=True),
        bound("overview", "go('overview')"),
        bound("models", "go('models')"),
        bound("cost", "go('cost')"),
        bound("events", "go('events')"),
        bound("theme", "toggle_theme"),
        bound("quit", show=True),
        bound("pause"),
        bound("slower"),
        bound("faster"),
        bound("seek_back", "seek(-1)", priority=True),
        bound("seek_forward", "seek(1)", priority=True),
    ]

    def __init__(
        self, source: Source, *, operator: Operator | None = None, options: TopOptions
    ) -> None:
        super().__init__()
        self.source = source
        self.operator = operator
        self.options = options
        self.choices = options.choices
        self.glyphs = glyphs(options.ascii_only)
        self.store = Store()
        self.errands = Errands()
        # Published at most once a frame, after the store took what came since the last one.
        self.updated: Signal[Store] = Signal(self, "updated")
        self._inbox = Inbox()
        self._stop = Event()
        self._published_at = 0.0
        self._heard_at = 0.0
        self._news = False
        self._started_by = 0
        # Every paint travels over SSH: nothing glides or blinks.
        self.animation_level = "none"
        self.no_color = self.no_color or options.no_color
        self._own_filters: list[LineFilter] = [Harmless()]
        if self.no_color:
            self._own_filters.append(NoColor())
        if options.ascii_only:
            self._own_filters.append(PlainText())
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = PLAIN if self.no_color else options.theme or DARK

    def get_line_filters(self) -> list[LineFilter]:
        return [*super().get_line_filters(), *self._own_filters]

    def now(self) -> float:
        """Return the moment by the screen's clock, in seconds."""
        return monotonic()

    def unix_ns(self) -> int:
        """Return the moment by the operator's wall clock."""
        return time_ns()

    @property
    def refusal(self) -> str:
        """Why nothing can be done to the farm from here; empty where it can."""
        if self.options.read_only:
            return "this screen is read-only: start farm top without --read-only to act"
        if self.operator is None:
            return f"this is a {self.source.title}: nothing can be done to it"
        return ""

    def get_default_screen(self) -> Overview:
        return Overview()

    def on_mount(self) -> None:
        loop = get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(_THREADS))
        # The terminal is put in order before the process ends.
        loop.add_signal_handler(SIGTERM, self.exit)
        # Without its terminal a screen is nothing, also where a shell ignores that it hangs up.
        signal(SIGHUP, SIG_DFL)
        self._started_by = getppid()
        self.set_keymap(self.options.keys)
        if self.options.notice:
            self._warn(self.options.notice)
        keeping = keep_choices(lambda: self.choices, self.options.keep, self._warn)
        self.run_worker(keeping, exit_on_error=False)
        # The first paint goes first; what a source imports takes a while. Not a worker: nobody
        # stops those if the screen breaks, and the process would stay.
        self.call_after_refresh(Thread(target=self._follow, daemon=True).start)
        self.set_interval(1 / self.options.frames_per_s, self._frame)

    def _warn(self, words: str) -> None:
        self.notify(words, severity="warning", markup=False)

    def on_unmount(self) -> None:
        self._stop.set()

    def _follow(self) -> None:
        try:
            self.source.follow(self._hear, self._stop)
        except Exception as error:
            detail = f"nothing more comes, start farm top anew: {self.defects.note(error)}"
            self._hear(LinkChanged(state=LinkState.DOWN, detail=detail))

    def _hear(self, update: Update) -> None:
        """Keep an update for the next frame; on the source's threads."""
        if isinstance(update, SnapshotCame):
            self._heard_at = self.now()
        self._inbox.put(update)

    def catch_up(self) -> None:
        """Let the store have what came since the last frame.

        A snapshot is as old as when it came, however rare frames are.
        """
        now = self.now()
        for update in self._inbox.take():
            self._news, came = True, isinstance(update, SnapshotCame)
            try:
                self.store.take(update, self._heard_at if came else now)
            except Exception as error:
                self.defects.unread = f"what came last cannot be read: {self.defects.note(error)}"
            else:
                self.defects.unread = "" if came else self.defects.unread

    def _frame(self) -> None:
        if self.is_web and getppid() != self._started_by:
            # The page's server is gone, and with it whoever looked.
            self.exit()
        self.catch_up()
        now = self.now()
        if self._news or now - self._published_at >= _IDLE_S:
            self._published_at, self._news = now, False
            self.updated.publish(self.store)

    def open_node(self, node_id: str) -> None:
        """Show a node in depth."""
        from tui.screens.node import NodeScreen

        self._show_detail(NodeScreen(node_id))

    def open_model(self, name: str) -> None:
        """Show a model in depth."""
        from tui.screens.model import ModelScreen

        self._show_detail(ModelScreen(name))

    def open_models(self) -> None:
        from tui.screens.models import ModelsScreen

        self._show_view(ModelsScreen())

    def open_cost(self) -> None:
        from tui.screens.cost import CostScreen

        self._show_view(CostScreen())

    def open_events(self) -> None:
        from tui.screens.events import EventsScreen

        self._show_view(EventsScreen())

    def action_help(self) -> None:
        """Tell what the keys of the screen on top do."""
        from tui.screens.help import HelpScreen

        active = [active.binding for active in self.screen.active_bindings.values()]
        self.push_screen(HelpScreen(active, self.options.keys))

    def use_theme(self, name: str) -> None:
        """Change the colours, unless there are to be none."""
        if self.no_color:
            self.notify("there are no colours while NO_COLOR is set")
        else:
            self.theme = name
            self.choices = replace(self.choices, theme=name)

    def action_go(self, view: str) -> None:
        opening = {
            "overview": self._back_to_overview,
            "models": self.open_models,
            "cost": self.open_cost,
            "events": self.open_events,
        }
        opening[view]()

    async def action_quit(self) -> None:
        """End, unless what was asked of the farm would lose who waits for it."""
        names = self.errands.running
        if not names:
            self.exit()
            return
        asked = Confirm.of(questions.leave(names))
        self.push_screen(asked, lambda yes: self.exit() if yes else None)

    def action_toggle_theme(self) -> None:
        self.use_theme(LIGHT if self.current_theme.dark else DARK)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in _REPLAY:
            return isinstance(self.source, Player) and not isinstance(self.focused, Input)
        return super().check_action(action, parameters)

    def action_pause(self) -> None:
        if isinstance(self.source, Player):
            self.source.pause()

    def action_slower(self) -> None:
        if isinstance(self.source, Player):
            self.source.slower()

    def action_faster(self) -> None:
        if isinstance(self.source, Player):
            self.source.faster()

    def action_seek(self, direction: int) -> None:
        playhead = self.store.playhead
        if isinstance(self.source, Player) and playhead is not None:
            self.source.skip(direction * _SEEK_S * max(playhead.speed, 1.0))

    def _back_to_overview(self) -> None:
        while len(self.screen_stack) > 1:
            self.pop_screen()

    def _show_view(self, screen: Screen[Any]) -> None:
        """Show one of the views that keys 1 to 4 go to: as it was left, if it lies below."""
        if all(type(each) is not type(screen) for each in self.screen_stack):
            self._back_to_overview()
            self.push_screen(screen)
        while type(self.screen) is not type(screen):
            self.pop_screen()

    def _show_detail(self, screen: Screen[Any]) -> None:
        """Show what lies below a view; one of its kind that is open already makes room for it."""
        open_already = [each for each in self.screen_stack if type(each) is type(screen)]
        if self.screen in open_already:
            self.switch_screen(screen)
            return
        for each in open_already:
            # Textual takes screens off the top alone, and escape is to lead back to this one.
            self._screen_stack.remove(each)
            each.remove()
        self.push_screen(screen)
