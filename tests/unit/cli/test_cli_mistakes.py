"""What somebody is told who mistyped, asked elsewhere, or has another version."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from commands import fails, farm
from fake_gateway import FakeGateway, running_gateway
from free_ports import free_address

from farm import __version__
from farm.cli.connecting import admin_client
from farm.contexts import Context, FarmHome
from farm.core.errors import UnsupportedError


@pytest.fixture
def gateway() -> Iterator[FakeGateway]:
    with running_gateway() as made:
        yield made


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("modls ls", "models"),
        ("nodes list", "ls"),
        ("nodes drian pi-1", "drain"),
        ("suport-bundle", "support-bundle"),
        ("nodes ls --contxt x", "--context"),
        ("report --sicne 1h", "--since"),
    ],
)
def test_a_mistyped_word_is_answered_with_what_was_meant(line: str, meant: str) -> None:
    result = farm(*line.split())
    assert (result.exit_code, result.stdout) == (2, "")
    assert meant in result.stderr.partition("Error")[2]


def test_what_is_to_be_typed_is_shown_however_it_was_started() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "farm", "fly"], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert "Usage: farm " in ended.stderr
    assert "-m" not in ended.stderr


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("nodes ls --connect http://127.0.0.1:8001", "is a URL; write HOST:PORT"),
        ("nodes ls --connect 127.0.0.1", "is not HOST:PORT"),
        ("up --grpc here", "--grpc: must be HOST:PORT, like"),
        ("up --nodes 0", "--nodes: must be at least 1"),
        ("report --since 5", "write how far back"),
        ("sim run none.yaml", "none.yaml cannot be read"),
        ("sim run none.yaml --policy quick", "known are"),
        ("bench echo -c few", "write numbers"),
        ("models load echo --file x", "VERSION/FILE=PATH"),
        ("bootstrap -i inventory/local.yaml", "farm up -i inventory/local.yaml"),
        ("inventory show -i inventory/example.yaml --limit pi-99", "did you mean 'pi-09'?"),
        ("certs issue ann", "--context"),
        ("contexts use attic", "`farm bootstrap` writes one"),
        ("baselines show aws-lambda", "aws-lambda-arm64"),
    ],
)
def test_a_wrong_value_is_answered_with_a_right_one(
    monkeypatch: pytest.MonkeyPatch, line: str, told: str
) -> None:
    monkeypatch.chdir(Path(__file__).parents[3])
    assert told in fails(2, *line.split())


def test_a_mistyped_setting_is_answered_with_the_nearest(tmp_path: Path) -> None:
    file = tmp_path / "farm.yaml"
    file.write_text("scheduling: {polcy: round_robin}\n")
    told = fails(2, "up", "--config", str(file))
    assert f"{file}: scheduling.polcy: there is no such setting; did you mean 'policy'?" in told


# -- nobody answers ---------------------------------------------------------------------


def test_who_named_an_address_is_said_where_nobody_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    address = free_address()
    assert "(--connect has this address)" in fails(4, "nodes", "ls", "--connect", address)
    home = FarmHome.of(os.environ)
    home.write(Context(farm="shelf", address=address))
    assert "(the context 'shelf' has this address)" in fails(4, "nodes", "ls", "--context", "shelf")
    home.use("shelf")
    assert "(the current context, 'shelf', has this address" in fails(4, "infer", "a", "-i", "b")
    monkeypatch.setenv("FARM_CONNECT", address)
    told = fails(4, "ledger", "show")
    assert re.match(rf"farm: no answer from {address} \(connection refused\); is `farm up`", told)
    assert "(FARM_CONNECT has this address)" in told


# -- another version, another server ----------------------------------------------------


@pytest.mark.parametrize(
    ("protocol", "advice"),
    [
        (0, "; upgrade the gateway, which is"),
        (2, "; upgrade the command, which is"),
        (1, "with 1)"),
    ],
)
def test_a_gateway_of_another_version_is_told_where_it_cannot_do_it(
    gateway: FakeGateway, protocol: int, advice: str
) -> None:
    # This one has no ledger.
    gateway.protocol = protocol
    told = fails(1, "ledger", "show", "--connect", gateway.address)
    assert f"farm 9.9 with protocol {protocol}, this command {__version__}" in told
    assert advice in told


def test_an_answer_that_is_not_understood_is_no_traceback(gateway: FakeGateway) -> None:
    with (
        pytest.raises(UnsupportedError, match=r"not understood \(the gateway is farm 9\.9"),
        admin_client(gateway.address, None),
    ):
        raise ValueError("a day that is none")


def test_a_server_that_is_no_farms_gateway_is_told() -> None:
    server = grpc.server(ThreadPoolExecutor(1))
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        told = fails(1, "nodes", "ls", "--connect", address)
    finally:
        server.stop(0).wait()
    assert f"what answers at {address} is no farm's gateway" in told
