"""`farm tokens`, as an operator uses it, and commands that show a token."""

import json
import os
from pathlib import Path

import pytest
from commands import fails, farm, ok
from fake_gateway import running_gateway

from farm.cli.connecting import Target, target
from farm.cli.redaction import MASK, Redactor
from farm.contexts import Context, FarmHome
from farm.core.errors import ConfigurationError
from farm.core.tokens import is_token

OF_A_FORM = f"farm_{'1' * 12}_{'2' * 64}"


@pytest.fixture(autouse=True)
def home() -> FarmHome:
    made = FarmHome.of(os.environ)
    made.write(Context(farm="shelf", address="198.18.0.10:8001"))
    made.use("shelf")
    return made


def issue(*arguments: str) -> str:
    result = farm("tokens", "issue", *arguments)
    assert result.exit_code == 0, result.output
    return result.stdout.strip()


def test_a_token_is_shown_once_and_alone(home: FarmHome) -> None:
    result = farm("tokens", "issue", "ci")
    token = result.stdout.removesuffix("\n")
    assert is_token(token)
    assert "role infer" in result.stderr and token not in result.stderr
    assert "`farm bootstrap`" in result.stderr
    kept = home.folder("shelf").tokens
    assert kept.stat().st_mode & 0o777 == 0o600
    assert token not in kept.read_text() and token.rpartition("_")[2] not in kept.read_text()
    assert token not in ok("tokens", "ls") + ok("tokens", "ls", "-o", "json")


def test_what_became_of_tokens_is_listed() -> None:
    issue("ci", "--days", "7")
    issue("ann", "--role", "operate")
    taken = json.loads(farm("tokens", "revoke", "ann", "-o", "json").stdout)["revoked"]
    assert taken["name"] == "ann"
    ci, ann = json.loads(ok("tokens", "ls", "-o", "json"))["tokens"]
    assert (ci["name"], ci["role"], ci["revoked"]) == ("ci", "infer", None)
    assert (ann["name"], ann["role"]) == ("ann", "operate")
    assert ann["revoked"] is not None
    table = ok("tokens", "ls")
    assert "in 6 days" in table and "revoked 2" in table


def test_a_program_reads_what_was_issued() -> None:
    result = farm("tokens", "issue", "ci", "--role", "admin", "-o", "json")
    told = json.loads(result.stdout)["issued"]
    assert is_token(told["token"]) and (told["name"], told["role"]) == ("ci", "admin")


def test_a_farm_that_was_not_bootstrapped_has_a_file_of_its_own(
    home: FarmHome, tmp_path: Path
) -> None:
    (home.path / "current").unlink()
    assert "no farm is current" in fails(2, "tokens", "ls")
    file = tmp_path / "tokens.json"
    token = issue("ci", "--file", str(file))
    assert is_token(token)
    assert "ci" in ok("tokens", "ls", "--file", str(file))
    result = farm("tokens", "revoke", "ci", "--file", str(file))
    assert str(file) in result.stderr


def test_mistakes_are_answered(home: FarmHome) -> None:
    issue("ci")
    assert "has a token that is good" in fails(2, "tokens", "issue", "ci")
    assert "good are: ci" in fails(2, "tokens", "revoke", "bob")
    assert "cannot be called" in fails(2, "tokens", "issue", "a b")
    home.folder("shelf").tokens.write_text("{")
    assert "is damaged" in fails(2, "tokens", "ls")
    home.folder("shelf").tokens.chmod(0o644)
    assert "others on this machine can read it" in fails(2, "tokens", "ls")


# -- commands that show one -------------------------------------------------------------------


def meant(connect: str | None = None, context: str | None = None, **environment: str) -> Target:
    return target(connect, context, {"FARM_HOME": os.environ["FARM_HOME"], **environment})


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    file = tmp_path / "ci.token"
    file.write_text(f"{OF_A_FORM}\n")
    file.chmod(0o600)
    return file


def test_a_token_comes_from_the_environment_or_a_file_of_ones_own(kept: Path) -> None:
    assert meant("a:1", FARM_TOKEN=f" {OF_A_FORM}\n").token == OF_A_FORM
    assert meant("a:1", FARM_TOKEN_FILE=str(kept)).token == OF_A_FORM
    assert meant("a:1", FARM_TOKEN="", FARM_TOKEN_FILE="").token is None
    with pytest.raises(ConfigurationError, match="not both"):
        meant("a:1", FARM_TOKEN=OF_A_FORM, FARM_TOKEN_FILE=str(kept))
    kept.chmod(0o644)
    with pytest.raises(ConfigurationError, match="others on this machine can read it"):
        meant("a:1", FARM_TOKEN_FILE=str(kept))


def test_a_context_has_its_own(home: FarmHome, kept: Path) -> None:
    home.write(Context(farm="cellar", address="cellar:1", ca=Path("/ca.pem"), token=kept))
    assert home.context("cellar").token == kept
    assert meant(context="cellar", FARM_TOKEN=OF_A_FORM[::-1]).token == OF_A_FORM
    assert meant(FARM_TOKEN=OF_A_FORM).token is None, "it goes with an address, not with a context"
    (listed,) = [
        one for one in json.loads(ok("contexts", "ls", "-o", "json"))["contexts"]
        if one["farm"] == "cellar"
    ]  # fmt: skip
    assert listed["token_file"] == str(kept)


def test_commands_show_it(kept: Path) -> None:
    with running_gateway() as gateway:
        env = {"FARM_CONNECT": gateway.address, "FARM_TOKEN_FILE": str(kept)}
        assert "pi-1" in ok("nodes", "ls", env=env)
        assert gateway.shown == f"Bearer {OF_A_FORM}"


def test_no_command_sends_it_for_others_to_read(kept: Path) -> None:
    env = {"FARM_CONNECT": "198.18.0.10:8001", "FARM_TOKEN_FILE": str(kept)}
    result = farm("models", "ls", env=env)
    assert result.exit_code == 2
    assert "it needs TLS" in result.stderr
    assert OF_A_FORM not in result.output


def test_a_target_that_is_printed_shows_no_token() -> None:
    assert OF_A_FORM not in repr(Target("a:1", None, OF_A_FORM))


def test_a_support_bundle_holds_none() -> None:
    redactor = Redactor()
    for text in (
        OF_A_FORM,
        f"authorization: Bearer {OF_A_FORM}",
        f"['farm', '{OF_A_FORM}']",
        f"GET /?t={OF_A_FORM}&x=1",
        f"cut {OF_A_FORM[:40]}",
        OF_A_FORM.upper().replace("FARM", "farm"),
    ):
        shown = redactor.text(text)
        assert MASK in shown and "2" * 8 not in shown, shown
    settings = {"FARM_TOKEN": "x1y2z3", "FARM_TOKEN_FILE": "/run/ci.token", "tokens": "t.json"}
    assert redactor.data(settings) == dict.fromkeys(settings, MASK)


def test_a_farm_that_is_not_kept_here_is_none_to_issue_for(home: FarmHome) -> None:
    said = fails(2, "tokens", "issue", "ci", "--context", "shlef")
    assert "there is no farm 'shlef'" in said and "known: shelf" in said
    assert not home.folder("shlef").path.exists()
