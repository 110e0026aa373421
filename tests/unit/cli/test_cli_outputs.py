"""Every command that prints data prints it as JSON too: one document, or nothing at all."""

import inspect
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from command_tree import commands
from commands import farm, ok
from fake_gateway import FakeGateway, running_gateway
from free_ports import free_address

from farm.cli.tables import print_json
from farm.contexts import Context, FarmHome
from farm.pki import Authority

# What prints no data of its own, and why.
WITHOUT = {
    "contexts use": "prints nothing",
    "inventory import": "prints an inventory, which is YAML",
    "inventory schema": "prints a JSON schema as editors read it",
    "run gateway": "serves until it is told to end",
    "run head": "becomes another program",
    "run node": "becomes another program",
    "top": "is a screen",
    "up": "serves until it is told to end; its ready line is for scripts",
}


def formats(function: Any) -> set[str]:
    """Return what a command's --output and -o take."""
    for parameter in inspect.signature(function).parameters.values():
        for option in getattr(parameter.annotation, "__metadata__", ()):
            # In an annotation typer takes the first name for a default.
            if {"--output", "-o"} <= {option.default, *(option.param_decls or ())}:
                return {str(each) for each in parameter.annotation.__origin__}
    return set()


@pytest.mark.parametrize(
    ("words", "function"), [pytest.param(*each, id=each[0]) for each in commands()]
)
def test_a_command_prints_json_or_has_a_reason(words: str, function: Any) -> None:
    assert ("json" in formats(function)) is (words not in WITHOUT)


@pytest.fixture(scope="module")
def gateway() -> Iterator[FakeGateway]:
    with running_gateway() as made:
        made.watched.set()
        yield made


@pytest.fixture
def place(tmp_path: Path, gateway: FakeGateway) -> Path:
    """A folder of an operator's with a farm, a certificate and an inventory."""
    home = FarmHome.of(os.environ)
    authority = Authority.create("shelf", now=datetime.now(UTC))
    authority.save(home.folder("shelf").authority)
    home.write(Context(farm="shelf", address=gateway.address))
    home.use("shelf")
    (tmp_path / "ca.pem").write_bytes(authority.certificate_pem)
    (tmp_path / "shelf.yaml").write_text(
        "farm: {name: shelf}\nhosts: {pi-1: {address: 198.18.0.1, role: both}}\n"
    )
    return tmp_path


OFFLINE = (
    "baselines ls",
    "baselines show aws-lambda-arm64",
    "certs issue ann --folder {place}/ann",
    "certs ls",
    "certs show {place}/ca.pem",
    "contexts ls",
    "inventory check -i {place}/shelf.yaml",
    "inventory show -i {place}/shelf.yaml",
)
ONLINE = (
    "calibrate pi-1 --seconds 1 --yes",
    "models describe echo",
    "models load echo",
    "models ls",
    "models profile echo",
    "models unload echo",
    "nodes cordon pi-2 --yes",
    "nodes describe pi-1",
    "nodes drain pi-2 --dry-run --yes",
    "nodes ls",
    "nodes uncordon pi-2",
)


@pytest.mark.parametrize("line", [*OFFLINE, *ONLINE])
def test_standard_output_is_one_document_that_names_its_schema(line: str, place: Path) -> None:
    result = farm(*line.format(place=place).split(), "--output", "json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["schema_version"] == 1
    assert len(document) == 2


@pytest.mark.parametrize("line", [*ONLINE, "ledger show", "ledger export", "report", "bench echo"])
def test_a_command_that_fails_prints_nothing_there(line: str) -> None:
    address = free_address()
    result = farm(*line.split(), "--output", "json", "--connect", address)
    assert (result.exit_code, result.stdout) == (4, "")
    assert address in result.stderr


def test_an_inventory_that_is_right_says_what_it_holds(place: Path) -> None:
    file = str(place / "shelf.yaml")
    told = json.loads(ok("inventory", "check", "-i", file, "-o", "json"))["check"]
    assert told == {"file": file, "farm": "shelf", "head": "pi-1", "hosts": 1, "nodes": 1}


def test_a_certificate_that_is_issued_says_where_it_is(place: Path, gateway: FakeGateway) -> None:
    result = farm("certs", "issue", "ann", "--folder", str(place / "ann"), "-o", "json")
    told = json.loads(result.stdout)["issued"]
    assert (told["folder"], told["address"]) == (str(place / "ann"), gateway.address)
    assert told["identity"] == "farm://shelf/client/ann"


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "ascii"])
@pytest.mark.parametrize("output", ["json", "table"])
def test_names_that_cannot_be_encoded_are_escaped(
    output: str, encoding: str, tmp_path: Path
) -> None:
    file = os.fsencode(tmp_path) + b"/\xff\xc3\xbc\xf0\x9f\xa6\x8a.yaml"
    Path(os.fsdecode(file)).write_text(
        "farm: {name: shelf}\nhosts: {pi-1: {address: 198.18.0.1, role: both}}\n"
    )
    command = [sys.executable, "-m", "farm", "inventory", "check", "-i", file, "--output", output]
    ended = subprocess.run(
        command,
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "1"},
    )
    assert (ended.returncode, ended.stderr) == (0, b"")
    if output == "json":
        document = json.loads(ended.stdout.decode(encoding))
        assert document["check"]["file"] == os.fsdecode(file)


def test_what_is_no_number_is_null(capsys: pytest.CaptureFixture[str]) -> None:
    print_json("figures", {"a": [float("nan"), 1.5], "b": (float("inf"), {"c": float("-inf")})})
    document = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert document["figures"] == {"a": [None, 1.5], "b": [None, {"c": None}]}


@pytest.mark.parametrize("output", ["json", "table"])
def test_a_full_disk_is_told_in_one_line(output: str) -> None:
    command = [sys.executable, "-m", "farm", "contexts", "ls", "--output", output]
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False)
    assert ended.returncode == 1
    assert (
        ended.stderr == b"farm: what there is to say cannot be written: No space left on device\n"
    )


def test_a_reader_that_goes_away_is_no_fault() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "farm", "contexts", "ls"]
    ended = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (1, b"")
