"""What a shell offers: words of commands, and names that are known here or at the gateway."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_gateway import FakeGateway, running_gateway
from typer.testing import CliRunner

from farm.cli.main import app
from farm.contexts import Context, FarmHome

SHELF = """\
farm: {name: shelf}
hosts:
  pi-[1:3]: {address: "198.18.0.[1:3]"}
  head: {address: 198.18.0.9, role: head}
"""


@pytest.fixture(scope="module")
def gateway() -> Iterator[FakeGateway]:
    with running_gateway() as made:
        made.states["echo"] = made.states["eagle"] = "READY"
        yield made


def offered(line: str, shell: str = "bash", **environment: str) -> list[str]:
    """Return what is offered for the last word of a line, which may be empty."""
    words = line.split(" ")
    result = CliRunner().invoke(
        app,
        [],
        prog_name="farm",
        env={
            "_FARM_COMPLETE": f"complete_{shell}",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(words) - 1),
            "_TYPER_COMPLETE_ARGS": line,
            "_TYPER_COMPLETE_FISH_ACTION": "get-args",
            **environment,
        },
    )
    assert (result.exit_code, result.stderr) == (0, "")
    return [each for each in result.stdout.splitlines() if each]


def test_words_of_commands() -> None:
    assert offered("farm mod") == ["models"]
    assert offered("farm nodes dr") == ["drain"]
    assert offered("farm nodes ls --con") == ["--connect", "--context"]
    assert offered("farm nodes ls -o ") == ["table", "json"]
    assert offered("farm ledger show --by m") == ["model"]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_show_what_a_command_is_for(shell: str) -> None:
    (line,) = offered("farm mod", shell)
    assert "models" in line
    assert "The models of a farm." in line


def test_farms_that_are_known_here() -> None:
    home = FarmHome.of(os.environ)
    for farm in ("shelf", "attic", "sheet"):
        home.write(Context(farm=farm, address="127.0.0.1:9"))
    assert offered("farm contexts use she") == ["sheet", "shelf"]
    assert offered("farm nodes ls --context a") == ["attic"]


def test_hosts_of_the_inventory(tmp_path: Path) -> None:
    file = tmp_path / "shelf.yaml"
    file.write_text(SHELF)
    assert offered(f"farm doctor -i {file} --limit pi") == ["pi-1", "pi-2", "pi-3"]
    assert offered("farm doctor --limit h", FARM_INVENTORY=str(file)) == ["head"]
    file.write_text("hosts: [\n")
    assert offered(f"farm doctor -i {file} --limit pi") == []
    assert offered("farm doctor --limit pi") == []


def test_baselines() -> None:
    assert offered("farm baselines show aws-lambda") == ["aws-lambda-arm64", "aws-lambda-x86"]


def test_nodes_and_models_of_the_gateway(gateway: FakeGateway) -> None:
    assert offered(f"farm nodes drain --connect {gateway.address} pi") == ["pi-1", "pi-2"]
    assert offered("farm calibrate pi", FARM_CONNECT=gateway.address) == ["pi-1", "pi-2"]
    assert offered("farm infer e", FARM_CONNECT=gateway.address) == ["eagle", "echo"]


def test_a_gateway_that_does_not_answer_is_nothing_to_offer() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        assert offered("farm infer e", FARM_CONNECT=f"127.0.0.1:{silent.getsockname()[1]}") == []
    assert offered("farm infer e", FARM_CONNECT="nowhere") == []


def test_bash_itself_completes() -> None:
    program = Path(sys.executable).with_name("farm")
    script = f"""
        eval "$(_FARM_COMPLETE=source_bash {program})"
        COMP_WORDS=(farm nodes unc) COMP_CWORD=2
        _farm_completion {program}
        echo "${{COMPREPLY[@]}}"
    """
    ended = subprocess.run(
        ["bash", "--norc", "-c", script], capture_output=True, text=True, check=False, timeout=60
    )
    assert (ended.stdout.strip(), ended.stderr) == ("uncordon", "")


@pytest.mark.skipif(shutil.which("fish") is None, reason="needs fish: apt-get install fish")
def test_fish_itself_completes() -> None:
    script = """
        _FARM_COMPLETE=source_fish farm | source
        complete -C "farm nodes unc"
    """
    folder = Path(sys.executable).parent
    ended = subprocess.run(
        ["fish", "--no-config", "-c", script],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"},
    )
    assert ended.stdout.split("\t")[0] == "uncordon"
    assert ended.stderr == ""
