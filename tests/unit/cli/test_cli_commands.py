"""The `farm` command against a small gateway: what it prints and how it exits."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import fails, farm, ok
from fake_gateway import FakeGateway, running_gateway
from free_ports import free_address

from farm import __version__
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


def test_version() -> None:
    assert ok("--version") == f"farm {__version__}\n"


def test_help_names_every_command() -> None:
    text = ok("--help")
    for command in ("up", "demo", "infer", "bench", "models", "nodes"):
        assert re.search(rf"\b{command}\b", text)


@pytest.mark.parametrize(
    "command",
    [
        ["up"],
        ["demo"],
        ["infer"],
        ["bench"],
        ["models"],
        ["models", "ls"],
        ["models", "describe"],
        ["models", "load"],
        ["models", "unload"],
        ["models", "profile"],
        ["nodes", "ls"],
    ],
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
    (going,) = [line for line in text.splitlines() if "gone" in line]
    assert "unloading" in going
    assert "2 batches in flight" in going


def test_models_as_json(gateway: FakeGateway) -> None:
    document = json.loads(ok("models", "ls", "--connect", gateway.address, "-o", "json"))
    assert document["schema_version"] == 1
    refused, served, _going = document["models"]
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


# -- exit codes -----------------------------------------------------------------------


@pytest.mark.parametrize("command", [["models", "ls"], ["nodes", "ls"]])
def test_an_unreachable_gateway_exits_with_4(command: list[str]) -> None:
    address = free_address()
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
    gateway.error = error
    try:
        assert fails(code, "nodes", "ls", "--connect", gateway.address) == f"farm: {error}\n"
    finally:
        gateway.error = None


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
