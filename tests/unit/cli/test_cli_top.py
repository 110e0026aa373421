"""`farm top` before it draws anything: what it refuses, and whose keys it takes."""

import socket
import sys
from collections.abc import Mapping
from dataclasses import replace
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
    return shown[-1]


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


@pytest.mark.usefixtures("shown")
def test_what_went_wrong_in_the_screen_is_told_after_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(FarmTop, "run", lambda app: app.defects.note(ValueError("odd")))
    ended = farm("top")
    assert ended.exit_code == 0
    assert ended.stderr.startswith("farm: the screen had a defect; please report it")
    assert "ValueError: odd" in ended.stderr


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


def test_what_was_chosen_is_there_at_the_next_start(
    shown: list[FarmTop], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    env = {"FARM_HOME": str(tmp_path / "home")}

    def choose(app: FarmTop) -> None:
        app.options.keep(replace(app.choices, theme="nord", sort="load"))

    with monkeypatch.context() as looking:
        looking.setattr(FarmTop, "run", choose)
        assert farm("top", "--no-state", env=env).exit_code == 0
        assert not (tmp_path / "home").exists()
        assert farm("top", env=env).exit_code == 0
    file = tmp_path / "home" / "top-state.json"
    kept = file.read_bytes()
    options = one(shown, env=env).options
    assert (options.theme, options.choices.sort, options.notice) == ("nord", "load", "")
    assert one(shown, "--theme", "gruvbox", env=env).options.theme == "gruvbox"
    assert one(shown, "--no-state", env=env).options.choices.sort == ""
    assert file.read_bytes() == kept


def test_a_damaged_file_of_choices_is_told_on_the_screen(
    shown: list[FarmTop], tmp_path: Path
) -> None:
    (tmp_path / "top-state.json").write_text("{")
    options = one(shown, env={"FARM_HOME": str(tmp_path)}).options
    assert "top-state.json is damaged; what you chose before" in options.notice
    assert options.theme == "farm-dark"


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
        (["--speed", "2"], "--speed is that of --replay or --scenario"),
        (["--port", "8080"], "--port is that of --web"),
        (["--web", "--replay", "/no/such/file"], "--replay: /no/such/file cannot be read"),
        (["--web", "--scenario", "/no/such/file"], "/no/such/file"),
        (["--web", "--context", "nowhere"], "there is no context 'nowhere'"),
        (["--theme", "mauve"], "there is no theme 'mauve'; known are farm-dark, farm-light"),
        (["--keys", "/no/such/file"], "there is no file /no/such/file"),
        ([], "needs a terminal"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(arguments: list[str], said: str) -> None:
    assert said in fails(2, "top", *arguments)


def test_a_theme_without_colours_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert "NO_COLOR is set" in fails(2, "top", "--theme", "nord")


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
