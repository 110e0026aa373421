"""`farm top`: what an operator keeps open all day."""

import codecs
import os
import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from farm.cli.connecting import screen_client, target_address
from farm.cli.exits import Exit, farm_errors
from farm.cli.options import Connect, Context
from farm.cli.top_files import kept_choices, own_keys, state_file
from farm.core.errors import ConfigurationError

if TYPE_CHECKING:
    from tui.app import FarmTop
    from tui.options import TopOptions


def top(
    connect: Connect = None,
    context: Context = None,
    replay: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Play a recording; see --record.")
    ] = None,
    scenario: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Simulate a farm, such as those in docs/scenarios."),
    ] = None,
    speed: Annotated[
        float | None,
        typer.Option(
            min=0.25,
            max=64.0,
            help="Of --replay and --scenario, a multiple of life's.",
            show_default="1",
        ),
    ] = None,
    record: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep all that the gateway tells.")
    ] = None,
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Look, and change nothing.")
    ] = False,
    theme: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="farm-dark, farm-light, or one of Textual's.",
            show_default="what fits the terminal",
        ),
    ] = "",
    ascii_only: Annotated[
        bool,
        typer.Option(
            "--ascii",
            help="Draw with ASCII alone, as where the terminal has no UTF-8.",
        ),
    ] = False,
    fps: Annotated[
        float,
        typer.Option(
            min=0.2, max=30.0, help="Paint at most so often a second; keys are answered at once."
        ),
    ] = 4.0,
    keys: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Your own keys, in TOML.",
            show_default="top.toml in the folder of contexts",
        ),
    ] = None,
    no_state: Annotated[
        bool,
        typer.Option(
            "--no-state",
            help="Neither take up nor keep what is chosen by hand, such as columns and order.",
        ),
    ] = False,
    web: Annotated[
        bool, typer.Option("--web", help="Show it in a browser of this machine instead.")
    ] = False,
    port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65_535, help="Of --web; 0 takes a free one.", show_default="a free one"
        ),
    ] = None,
) -> None:
    """Show what every node is doing, what is wrong and what it costs, until you quit."""
    with farm_errors():
        _check_sources(connect or context, replay, scenario)
        played = replay is not None or scenario is not None
        if record is not None and played:
            raise ConfigurationError(
                "--record keeps what a gateway tells, not a replay or simulation"
            )
        if record is not None and web:
            raise ConfigurationError(
                "--record is for one screen, and --web may show many; leave one of them"
            )
        if speed is not None and not played:
            raise ConfigurationError(
                "--speed is that of --replay or --scenario; what a gateway tells is live"
            )
        if port is not None and not web:
            raise ConfigurationError("--port is that of --web; give that too, or leave it")
        state = None if no_state else state_file(os.environ)
        options = _options(read_only, theme, ascii_only, fps, keys, state)
        if not web:
            _check_terminal()
        with ExitStack() as left_open:
            if replay is not None:
                app = _replayed(replay, speed or 1.0, options)
            elif scenario is not None:
                app = _simulated(scenario, speed or 1.0, options)
            else:
                app = _watched(connect, context, record, options, left_open)
            if web:
                _serve(port or 0)
            else:
                app.run()
                if report := app.defects.report():
                    sys.stderr.write(report)
    if app.return_code:
        raise SystemExit(Exit.FAILED)


def _check_sources(gateway: str | None, replay: Path | None, scenario: Path | None) -> None:
    given = {
        "--connect or --context": gateway,
        "--replay": replay,
        "--scenario": scenario,
    }
    named = [name for name, value in given.items() if value is not None]
    if len(named) > 1:
        raise ConfigurationError(f"{' and '.join(named)} name different farms; give one of them")


def _check_terminal() -> None:
    if _in_browser() or (sys.stdin.isatty() and sys.stderr.isatty()):
        return
    raise ConfigurationError(
        "farm top needs a terminal; `farm nodes ls` and `farm report` print, and farm top --web"
        " shows it in a browser"
    )


def _options(
    read_only: bool,
    theme: str,
    ascii_only: bool,
    fps: float,
    keys: Path | None,
    state: Path | None,
) -> "TopOptions":
    from tui.choices import write_choices
    from tui.options import TopOptions
    from tui.theme import checked_theme, fitting, theme_names

    choices, notice = kept_choices(state)
    no_color = bool(os.environ.get("NO_COLOR"))
    if theme and no_color:
        raise ConfigurationError("--theme asks for colours, and NO_COLOR is set; leave one of them")
    usual = choices.theme if choices.theme in theme_names() else fitting(os.environ)
    return TopOptions(
        read_only=read_only,
        ascii_only=ascii_only or not _has_utf8(),
        no_color=no_color,
        theme=checked_theme(theme) if theme else usual,
        choices=choices,
        keep=(lambda _: None) if state is None else partial(write_choices, state),
        notice=notice,
        frames_per_s=fps,
        keys=own_keys(keys, os.environ),
    )


def _in_browser() -> bool:
    """Whether this process is a page's: textual-serve says so to Textual."""
    return bool(os.environ.get("TEXTUAL_DRIVER"))


def _has_utf8() -> bool:
    # Textual writes to standard error.
    return _in_browser() or codecs.lookup(sys.stderr.encoding).name == "utf-8"


def _watched(
    connect: str | None,
    context: str | None,
    record: Path | None,
    options: "TopOptions",
    left_open: ExitStack,
) -> "FarmTop":
    """Return the screen of a gateway; `left_open` gets what is to be closed after it."""
    from tui.app import FarmTop
    from tui.sources.connection import Connection
    from tui.sources.gateway import GatewaySource
    from tui.sources.gateway_operator import GatewayOperator
    from tui.sources.recorder import Recorder

    address = target_address(connect, context)
    connection = Connection(address, lambda: screen_client(connect, context))
    recorder = None if record is None else Recorder(record)
    if recorder is not None:
        left_open.callback(recorder.close)
    left_open.callback(connection.drop)
    source = GatewaySource(connection, tap=recorder)
    return FarmTop(source, operator=GatewayOperator(connection), options=options)


def _replayed(replay: Path, speed: float, options: "TopOptions") -> "FarmTop":
    from tui.app import FarmTop
    from tui.sources.replay import Replay

    return FarmTop(Replay(replay, speed=speed), options=options)


def _simulated(scenario: Path, speed: float, options: "TopOptions") -> "FarmTop":
    from tui.app import FarmTop
    from tui.sources.simulator import Simulator

    return FarmTop(Simulator(scenario, speed=speed), options=options)


def _serve(port: int) -> None:
    """Serve what the rest of this command line shows, to browsers of this machine."""
    from tui.web import serve

    serve(_without_web(sys.argv[1:]), port=port)


def _without_web(arguments: list[str]) -> list[str]:
    """Return this command's line as each visitor of the page gets it."""
    rest = iter(arguments)
    kept = []
    for argument in rest:
        if argument == "--port":
            next(rest, None)
        elif argument != "--web" and not argument.startswith("--port="):
            kept.append(argument)
    return [sys.executable, "-m", "farm", *kept]
