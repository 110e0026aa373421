"""`farm top`: what an operator keeps open all day."""

import codecs
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from farm.cli.connecting import screen_client, target_address
from farm.cli.exits import Exit, farm_errors
from farm.cli.options import Connect, Context
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
        float, typer.Option(min=0.25, max=64.0, help="Of --replay and --scenario.")
    ] = 1.0,
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
        float, typer.Option(min=0.2, max=30.0, help="Paint at most so often a second.")
    ] = 4.0,
    keys: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Your own keys, in TOML.",
            show_default="top.toml in the folder of contexts",
        ),
    ] = None,
    web: Annotated[
        bool, typer.Option("--web", help="Show it in a browser of this machine instead.")
    ] = False,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Of --web; 0 takes a free one.")] = 0,
) -> None:
    """Show what every node is doing, what is wrong and what it costs, until you quit."""
    with farm_errors():
        _check_sources(connect or context, replay, scenario, record)
        options = _options(read_only, theme, ascii_only, fps, keys)
        if web:
            _serve(port, record)
            return
        _check_terminal()
        if replay is not None:
            ended = _play(replay, speed, options)
        elif scenario is not None:
            ended = _simulate(scenario, speed, options)
        else:
            ended = _watch(connect, context, record, options)
    if ended.return_code:
        raise SystemExit(Exit.FAILED)


def _check_sources(
    gateway: str | None, replay: Path | None, scenario: Path | None, record: Path | None
) -> None:
    given = {
        "--connect or --context": gateway,
        "--replay": replay,
        "--scenario": scenario,
    }
    named = [name for name, value in given.items() if value is not None]
    if len(named) > 1:
        raise ConfigurationError(f"{' and '.join(named)} name different farms; give one of them")
    if record is not None and (replay is not None or scenario is not None):
        raise ConfigurationError("--record keeps what a gateway tells, not a replay or simulation")


def _check_terminal() -> None:
    if _in_browser() or (sys.stdin.isatty() and sys.stderr.isatty()):
        return
    raise ConfigurationError(
        "farm top needs a terminal; `farm nodes ls` and `farm report` print, and farm top --web"
        " shows it in a browser"
    )


def _options(
    read_only: bool, theme: str, ascii_only: bool, fps: float, keys: Path | None
) -> "TopOptions":
    from tui.options import TopOptions
    from tui.theme import checked_theme, fitting

    return TopOptions(
        read_only=read_only,
        ascii_only=ascii_only or not _has_utf8(),
        no_color=bool(os.environ.get("NO_COLOR")),
        theme=checked_theme(theme) if theme else fitting(os.environ),
        frames_per_s=fps,
        keys=_own_keys(keys),
    )


def _in_browser() -> bool:
    """Whether this process is a page's: textual-serve says so to Textual."""
    return bool(os.environ.get("TEXTUAL_DRIVER"))


def _has_utf8() -> bool:
    # Textual writes to standard error.
    return _in_browser() or codecs.lookup(sys.stderr.encoding).name == "utf-8"


def _own_keys(given: Path | None) -> Mapping[str, str]:
    """Return the operator's keys, by action.

    Raises:
        ConfigurationError: the file cannot be read, or says what cannot be.
    """
    import tomllib

    from farm.contexts import FarmHome
    from tui.keys import checked_keys

    path = given or FarmHome.of(os.environ).path / "top.toml"
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        if given is None:
            return {}
        raise ConfigurationError(f"--keys: there is no file {path}") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from error
    keys = content.pop("keys", {})
    if content or not isinstance(keys, dict) or not all(isinstance(v, str) for v in keys.values()):
        raise ConfigurationError(
            f'{path} must hold a table [keys] of lines like quit = "ctrl+q", and nothing else'
        )
    try:
        return checked_keys(keys)
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error.message}") from error


def _watch(
    connect: str | None, context: str | None, record: Path | None, options: "TopOptions"
) -> "FarmTop":
    from tui.app import FarmTop
    from tui.sources.connection import Connection
    from tui.sources.gateway import GatewaySource
    from tui.sources.gateway_operator import GatewayOperator
    from tui.sources.recorder import Recorder

    address = target_address(connect, context)
    connection = Connection(address, lambda: screen_client(connect, context))
    recorder = None if record is None else Recorder(record)
    source = GatewaySource(connection, tap=recorder)
    app = FarmTop(source, operator=GatewayOperator(connection), options=options)
    try:
        app.run()
    finally:
        connection.drop()
        if recorder is not None:
            recorder.close()
    return app


def _play(replay: Path, speed: float, options: "TopOptions") -> "FarmTop":
    from tui.app import FarmTop
    from tui.sources.replay import Replay

    app = FarmTop(Replay(replay, speed=speed), options=options)
    app.run()
    return app


def _simulate(scenario: Path, speed: float, options: "TopOptions") -> "FarmTop":
    from tui.app import FarmTop
    from tui.sources.simulator import Simulator

    app = FarmTop(Simulator(scenario, speed=speed), options=options)
    app.run()
    return app


def _serve(port: int, record: Path | None) -> None:
    """Serve what the rest of this command line shows, to browsers of this machine."""
    from tui.web import serve

    if record is not None:
        raise ConfigurationError("--record is for one screen, and --web may show many; leave it")
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
