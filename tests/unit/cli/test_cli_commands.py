"""The `farm` command against a small gateway: what it prints and how it exits."""

import io
import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from fake_gateway import FakeGateway, running_gateway
from typer.testing import CliRunner

from farm import __version__
from farm.cli.main import app
from farm.core.errors import (
    ConfigurationError,
    FarmError,
    IntegrityError,
    PermissionDeniedError,
    QueueFullError,
)


@pytest.fixture(scope="module")
def gateway() -> Iterator[FakeGateway]:
    with running_gateway() as made:
        yield made


@pytest.fixture(autouse=True)
def no_farm_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FARM_CONNECT", "FARM_CONFIG"):
        monkeypatch.delenv(name, raising=False)


def farm(*arguments: str, stdin: bytes | None = None, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(app, list(arguments), input=stdin, env=env)


def ok(*arguments: str, stdin: bytes | None = None, env: dict[str, str] | None = None) -> str:
    result = farm(*arguments, stdin=stdin, env=env)
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    return result.stdout


def fails(code: int, *arguments: str) -> str:
    """Run a command that must fail; return its one line on standard error."""
    result = farm(*arguments)
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    assert re.fullmatch(r"farm: .*\n", result.stderr)
    return result.stderr


def npy(array: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def unused_address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


def test_version() -> None:
    assert ok("--version") == f"farm {__version__}\n"


def test_help_names_every_command() -> None:
    text = ok("--help")
    for command in ("up", "demo", "infer", "models", "nodes"):
        assert re.search(rf"\b{command}\b", text)


@pytest.mark.parametrize(
    "command", [["up"], ["demo"], ["infer"], ["models"], ["models", "ls"], ["nodes", "ls"]]
)
def test_every_command_has_help(command: list[str]) -> None:
    assert "Usage" in ok(*command, "--help")


@pytest.mark.parametrize("arguments", [["fly"], ["models", "fly"], ["nodes", "ls", "-o", "xml"]])
def test_wrong_usage_exits_with_2(arguments: list[str]) -> None:
    assert farm(*arguments).exit_code == 2


# -- models and nodes -----------------------------------------------------------------


def test_models_as_a_table(gateway: FakeGateway) -> None:
    text = ok("models", "ls", "--connect", gateway.address)
    assert "Models of test farm" in text
    (served,) = [line for line in text.splitlines() if "echo" in line]
    for word in ("2", "ready", "8", "9", "d" * 12, "tried"):
        assert f" {word} " in served
    (refused,) = [line for line in text.splitlines() if "bad" in line]
    assert " - " in refused
    assert "unavailable" in refused
    assert "it has no version" in refused


def test_models_as_json(gateway: FakeGateway) -> None:
    document = json.loads(ok("models", "ls", "--connect", gateway.address, "-o", "json"))
    assert document["schema_version"] == 1
    refused, served = document["models"]
    assert served == {
        "name": "echo",
        "version": 2,
        "state": "ready",
        "reason": "",
        "digest": "d" * 64,
        "max_batch_size": 8,
        "batching": "tried",
        "ready_nodes": ["pi-1"],
        "queued_requests": 5,
        "requests_total": 9,
        "failures_total": 2,
    }
    assert (refused["name"], refused["reason"]) == ("bad", "it has no version")


def test_nodes_as_a_table(gateway: FakeGateway) -> None:
    text = ok("nodes", "ls", "--connect", gateway.address)
    (heard,) = [line for line in text.splitlines() if "pi-1" in line]
    for word in ("ready", "Raspberry Pi 5", "cortex-a76", "1/2", "50%", "52 °C", "21"):
        assert word in heard
    (silent,) = [line for line in text.splitlines() if "pi-2" in line]
    assert "never" in silent
    assert "waiting for its actor" in silent
    assert "°C" not in silent


def test_nodes_as_json(gateway: FakeGateway) -> None:
    document = json.loads(ok("nodes", "ls", "--connect", gateway.address, "--output", "json"))
    assert document["schema_version"] == 1
    heard, silent = document["nodes"]
    assert heard["node"] == "pi-1"
    assert (heard["temperature_c"], heard["clock_hz"]) == (51.5, None)
    assert (heard["slots"], heard["slots_busy"], heard["rows_total"]) == (2, 1, 21)
    assert heard["heartbeat_age_s"] == 0.25
    assert (silent["state"], silent["temperature_c"]) == ("joining", None)


def test_the_age_of_a_node_that_was_never_heard_is_not_zero(gateway: FakeGateway) -> None:
    document = json.loads(ok("nodes", "ls", "--connect", gateway.address, "-o", "json"))
    assert document["nodes"][1]["heartbeat_age_s"] is None


def test_the_environment_names_the_gateway(gateway: FakeGateway) -> None:
    assert "pi-1" in ok("nodes", "ls", env={"FARM_CONNECT": gateway.address})


# -- infer ----------------------------------------------------------------------------


def test_infer_as_json(gateway: FakeGateway, tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    path.write_bytes(npy(np.array([[1.5, 2.0]], np.float32)))
    text = ok("infer", "echo", "-i", f"x={path}", "--connect", gateway.address, "-o", "json")
    document = json.loads(text)
    assert document["schema_version"] == 1
    result = document["result"]
    assert (result["model"], result["version"]) == ("echo", "2")
    assert result["outputs"] == {"x_out": [[1.5, 2.0]]}
    assert result["receipt"]["node"] == "pi-1"
    assert result["receipt"]["compute_us"] == 250_000


def test_infer_as_a_table(gateway: FakeGateway, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps([list(range(20))]))
    text = ok("infer", "echo", "--input", f"x={path}", "--connect", gateway.address)
    assert "echo version 2" in text
    (line,) = [line for line in text.splitlines() if "x_out" in line]
    for word in ("float32", "[1, 20]", "0, 1, 2", "… 20 values"):
        assert word in line
    assert "pi-1" in text


def test_infer_reads_standard_input(gateway: FakeGateway) -> None:
    arguments = ("infer", "echo", "-i", "x=-", "--connect", gateway.address, "-o", "json")
    for stdin in (b"[[3, 4]]", npy([[3, 4]])):
        document = json.loads(ok(*arguments, stdin=stdin))
        assert document["result"]["outputs"] == {"x_out": [[3.0, 4.0]]}


def test_infer_shows_strings_as_text(gateway: FakeGateway) -> None:
    arguments = ("infer", "echo", "-i", "s=-", "--connect", gateway.address)
    document = json.loads(ok(*arguments, "-o", "json", stdin='["a", "é"]'.encode()))
    assert document["result"]["outputs"] == {"s_out": ["a", "é"]}


def test_strings_keep_their_shape_in_json(gateway: FakeGateway) -> None:
    arguments = ("infer", "echo", "-i", "s=-", "--connect", gateway.address, "-o", "json")
    document = json.loads(ok(*arguments, stdin=b'[["a", "b"], ["c", "d"]]'))
    assert document["result"]["outputs"] == {"s_out": [["a", "b"], ["c", "d"]]}


def test_numbers_that_json_lacks_do_not_break_it(gateway: FakeGateway) -> None:
    arguments = ("infer", "echo", "-i", "x=-", "--connect", gateway.address, "-o", "json")
    text = ok(*arguments, stdin=npy(np.array([[np.nan, np.inf]], np.float32)))

    def refuse(word: str) -> None:
        raise AssertionError(word)

    json.loads(text, parse_constant=refuse)


def test_infer_without_a_file_name_says_how_to_write_it(gateway: FakeGateway) -> None:
    for wrong in ("x", "x=", "=file"):
        message = fails(2, "infer", "echo", "-i", wrong, "--connect", gateway.address)
        assert "NAME=FILE" in message


def test_infer_names_a_file_that_is_not_there(gateway: FakeGateway, tmp_path: Path) -> None:
    given = f"x={tmp_path / 'none.npy'}"
    message = fails(1, "infer", "echo", "-i", given, "--connect", gateway.address)
    assert "none.npy cannot be read" in message


def test_infer_of_an_unknown_model(gateway: FakeGateway, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text("[1]")
    message = fails(1, "infer", "other", "-i", f"x={path}", "--connect", gateway.address)
    assert "there is no model 'other'" in message


# -- exit codes -----------------------------------------------------------------------


@pytest.mark.parametrize("command", [["models", "ls"], ["nodes", "ls"]])
def test_an_unreachable_gateway_exits_with_4(command: list[str]) -> None:
    address = unused_address()
    assert address in fails(4, *command, "--connect", address)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (QueueFullError("it is full"), 1),
        (ConfigurationError("it is wrong"), 2),
        (PermissionDeniedError("it is denied"), 5),
        (IntegrityError("it is damaged"), 6),
    ],
)
def test_what_the_gateway_says_decides_the_exit_code(
    gateway: FakeGateway, error: FarmError, code: int
) -> None:
    gateway.still.error = error
    try:
        assert fails(code, "nodes", "ls", "--connect", gateway.address) == f"farm: {error}\n"
    finally:
        gateway.still.error = None


def test_a_bad_configuration_exits_with_2(tmp_path: Path) -> None:
    path = tmp_path / "farm.yaml"
    path.write_text("nodes: many\n")
    message = fails(2, "up", "--config", str(path))
    assert str(path) in message
    assert "nodes" in message
    assert "does-not-exist.yaml" in fails(2, "up", "--config", "does-not-exist.yaml")


def test_a_port_in_use_is_noticed_before_anything_starts(gateway: FakeGateway) -> None:
    # In a process of its own, for `farm up` sets up logging for the whole process.
    command = [sys.executable, "-m", "farm", "up", "--grpc", gateway.address]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert f"farm: the gRPC address {gateway.address} cannot be bound" in ended.stderr
