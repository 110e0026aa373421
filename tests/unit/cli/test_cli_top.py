"""`farm top` before it draws anything: what it refuses, and whose keys it takes."""

import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from commands import fails, farm

from tui.app import FarmTop
from tui.sources.gateway import GatewaySource


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[FarmTop]:
    """The screens that commands would have shown."""
    screens: list[FarmTop] = []
    monkeypatch.setattr(FarmTop, "run", lambda app, **_: screens.append(app))
    monkeypatch.setattr("farm.cli.top._check_terminal", lambda: None)
    return screens


def one(shown: list[FarmTop], *arguments: str, env: Mapping[str, str] | None = None) -> FarmTop:
    result = farm("top", *arguments, env=dict(env or {}))
    assert result.exit_code == 0, result.output
    (app,) = shown
    return app


def test_it_follows_the_gateway_that_other_commands_mean(shown: list[FarmTop]) -> None:
    app = one(shown, env={"FARM_CONNECT": "pi-head:8001"})
    assert isinstance(app.source, GatewaySource)
    assert app.source.title == "gateway pi-head:8001"
    assert app.operator is not None


def test_what_was_asked_for_is_what_the_screen_is_told(shown: list[FarmTop]) -> None:
    arguments = ("--read-only", "--theme", "nord", "--ascii", "--fps", "2")
    options = one(shown, *arguments).options
    assert options.read_only
    assert options.ascii_only
    assert (options.theme, options.frames_per_s) == ("nord", 2.0)


@pytest.mark.parametrize(
    ("environment", "theme", "no_color"),
    [
        ({}, "farm-dark", False),
        ({"COLORFGBG": "0;15"}, "farm-light", False),
        ({"COLORFGBG": "15;default;0"}, "farm-dark", False),
        ({"NO_COLOR": "1"}, "farm-dark", True),
    ],
)
def test_colours_as_the_terminal_has_them(
    shown: list[FarmTop], environment: dict[str, str], theme: str, no_color: bool
) -> None:
    options = one(shown, env=environment).options
    assert (options.theme, options.no_color) == (theme, no_color)


def test_an_operators_own_keys(shown: list[FarmTop], tmp_path: Path) -> None:
    (tmp_path / "top.toml").write_text('[keys]\nquit = "ctrl+q"\n')
    app = one(shown, env={"FARM_HOME": str(tmp_path)})
    assert app.options.keys == {"quit": "ctrl+q"}


def test_a_file_of_keys_that_is_named(shown: list[FarmTop], tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('keys.drain = "D"\n')
    assert one(shown, "--keys", str(file)).options.keys == {"drain": "D"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[keys", "cannot be read"),
        ("\xff", "cannot be read"),
        ("keys = 3", "must hold a table [keys]"),
        ("[keys]\nquit = 3", "must hold a table [keys]"),
        ("[colours]\nquit = 'x'", "must hold a table [keys]"),
        ("[keys]\nfly = 'x'", "there is no action 'fly'"),
    ],
)
def test_a_file_of_keys_that_is_wrong_is_named(tmp_path: Path, content: str, said: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_bytes(content.encode("latin-1"))
    message = fails(2, "top", "--keys", str(file))
    assert said in message
    assert "mine.toml" in message


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--replay", "a", "--scenario", "b"], "--replay and --scenario name different farms"),
        (["--connect", "a:1", "--replay", "b"], "--connect or --context and --replay"),
        (["--replay", "a", "--record", "b"], "--record keeps what a gateway tells"),
        (["--web", "--record", "b"], "--web may show many"),
        (["--theme", "mauve"], "there is no theme 'mauve'; known are farm-dark, farm-light"),
        (["--keys", "/nonexistent"], "there is no file /nonexistent"),
        ([], "needs a terminal"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(arguments: list[str], said: str) -> None:
    assert said in fails(2, "top", *arguments)


def test_an_address_that_is_none_is_refused_before_the_screen(shown: list[FarmTop]) -> None:
    assert "is not HOST:PORT" in fails(2, "top", "--connect", "nonsense")
    assert "there is no context 'nowhere'" in fails(2, "top", "--context", "nowhere")
    assert shown == []


def test_a_page_shows_what_the_rest_of_the_line_says(monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[Any] = []
    monkeypatch.setattr("tui.web.serve", lambda command, *, port: served.append((command, port)))
    line = ["top", "--web", "--read-only", "--port", "8080", "--connect", "a:1"]
    monkeypatch.setattr("sys.argv", ["farm", *line])
    assert farm(*line).exit_code == 0
    python = [sys.executable, "-m", "farm"]
    assert served == [([*python, "top", "--read-only", "--connect", "a:1"], 8080)]


def test_a_port_that_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["farm", "top", "--web"])
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert f"127.0.0.1:{port} cannot be served" in fails(2, "top", "--web", "--port", port)
