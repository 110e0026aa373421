"""Which gateway a command talks to, and what it shows there."""

import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from commands import fails, ok
from fake_gateway import running_gateway

from farm.cli.connecting import Target, target, target_address
from farm.client import ClientTls
from farm.contexts import Context, FarmHome
from farm.core.errors import ConfigurationError
from farm.pki import Authority

TLS = {"FARM_TLS_CA": "ca.pem", "FARM_TLS_CERTIFICATE": "c.pem", "FARM_TLS_KEY": "k.pem"}
OWN = ClientTls(ca=Path("ca.pem"), certificate=Path("c.pem"), key=Path("k.pem"))


@pytest.fixture
def home() -> FarmHome:
    """A home that knows two farms."""
    made = FarmHome.of(os.environ)
    made.write(Context(farm="cellar", address="cellar:1"))
    made.write(Context(farm="shelf", address="shelf:1", ca=Path("/shelf.pem"), server_name="head"))
    return made


SHELF_TLS = ClientTls(ca=Path("/shelf.pem"), server_name="head")


def meant(connect: str | None = None, context: str | None = None, **environment: str) -> Target:
    return target(connect, context, {"FARM_HOME": os.environ["FARM_HOME"], **environment})


def test_without_anything_it_is_on_this_machine() -> None:
    assert meant() == Target("127.0.0.1:8001", None)
    assert meant(FARM_CONNECT="", FARM_TLS_CA="") == Target("127.0.0.1:8001", None)


def test_an_address_comes_before_the_current_context(home: FarmHome) -> None:
    home.use("shelf")
    assert meant() == Target("shelf:1", SHELF_TLS)
    assert meant(FARM_CONNECT="variable:1") == Target("variable:1", None)
    assert meant("flag:1", FARM_CONNECT="variable:1") == Target("flag:1", None)


def test_a_named_context_comes_before_variables(home: FarmHome) -> None:
    home.use("shelf")
    assert meant(context="cellar", FARM_CONNECT="variable:1", **TLS) == Target("cellar:1", None)
    assert meant("flag:1", "shelf") == Target("flag:1", SHELF_TLS)


@pytest.mark.parametrize("connect", [None, "flag:1"])
@pytest.mark.parametrize("context", [None, "cellar", "shelf"])
@pytest.mark.parametrize("environment", [{}, {"FARM_CONNECT": "variable:1"}])
def test_where_it_is_can_be_known_alone(
    home: FarmHome, connect: str | None, context: str | None, environment: dict[str, str]
) -> None:
    home.use("shelf")
    alone = target_address(connect, context, {"FARM_HOME": str(home.path), **environment})
    assert alone == meant(connect, context, **environment).address


def test_certificates_of_variables_go_with_addresses(home: FarmHome) -> None:
    assert meant("flag:1", **TLS) == Target("flag:1", OWN)
    assert meant(**TLS) == Target("127.0.0.1:8001", OWN)
    named = meant(FARM_TLS_CA="ca.pem", FARM_TLS_SERVER_NAME="head")
    assert named.tls == ClientTls(ca=Path("ca.pem"), server_name="head")
    home.use("shelf")
    assert meant(**TLS) == Target("shelf:1", SHELF_TLS)


@pytest.mark.parametrize("missing", TLS)
def test_variables_that_do_not_fit_together_are_named(missing: str) -> None:
    rest = {name: value for name, value in TLS.items() if name != missing}
    with pytest.raises(ConfigurationError, match=missing):
        meant(**rest)


def test_commands_use_the_context(home: FarmHome) -> None:
    with running_gateway() as gateway:
        home.write(Context(farm="attic", address=gateway.address))
        assert "pi-1" in ok("nodes", "ls", "--context", "attic")
        ok("contexts", "use", "attic")
        assert "pi-1" in ok("nodes", "ls")
    listed = ok("contexts", "ls")
    assert [line for line in listed.splitlines() if "*" in line and "attic" in line]


def test_a_handshake_that_fails_is_told_in_one_line(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_bytes(Authority.create("shelf", now=datetime.now(UTC)).certificate_pem)
    environment = {name: value for name, value in os.environ.items() if name != "GRPC_VERBOSITY"}
    with running_gateway() as gateway:
        # In a process of its own: gRPC writes past Python's standard error.
        ended = subprocess.run(
            [sys.executable, "-m", "farm", "models", "ls", "--connect", gateway.address],
            env={**environment, "FARM_TLS_CA": str(ca)},
            capture_output=True,
            text=True,
            check=False,
        )
    assert ended.returncode == 2
    assert re.fullmatch(r"farm: what answers at .* does not encrypt; .*\n", ended.stderr)


def test_a_context_that_is_not_there_is_a_usage_error(home: FarmHome) -> None:
    assert "known: cellar, shelf" in fails(2, "nodes", "ls", "--context", "attic")
    assert "known: cellar, shelf" in fails(2, "contexts", "use", "attic")


def test_files_that_are_not_there_are_named(home: FarmHome) -> None:
    assert "/shelf.pem cannot be read" in fails(2, "models", "ls", "--context", "shelf")
