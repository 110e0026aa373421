"""What the operator's machine knows of its farms."""

import json
from pathlib import Path

import pytest

from farm.contexts import Context, FarmHome
from farm.core.errors import ConfigurationError


@pytest.fixture
def home(tmp_path: Path) -> FarmHome:
    return FarmHome.of({"FARM_HOME": str(tmp_path / "home")})


def shelf(home: FarmHome) -> Context:
    folder = home.folder("shelf")
    return Context(
        farm="shelf",
        address="198.18.0.10:8001",
        ca=folder.authority / "ca.pem",
        certificate=folder.operator_certificate,
        key=folder.operator_key,
        server_name="pi-head",
    )


def test_a_context_is_kept(home: FarmHome) -> None:
    plain = Context(farm="cellar", address="127.0.0.1:8001")
    elsewhere = Context(farm="attic", address="198.18.0.9:8001", ca=Path("/etc/ca.pem"))
    for context in (shelf(home), plain, elsewhere):
        home.write(context)
        assert home.context(context.farm) == context
    assert home.farms() == ("attic", "cellar", "shelf")


def test_a_home_may_be_moved(home: FarmHome, tmp_path: Path) -> None:
    home.write(shelf(home))
    moved = FarmHome(home.path.rename(tmp_path / "moved"))
    assert moved.context("shelf") == shelf(moved)


def test_without_the_variable_it_is_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "/nowhere")
    for environment in ({}, {"FARM_HOME": ""}):
        assert FarmHome.of(environment).path.name == "bramble-farm"


def test_one_farm_is_current(home: FarmHome) -> None:
    assert home.current() is None
    home.write(shelf(home))
    assert home.current() is None
    home.use("shelf")
    assert home.current() == "shelf"


def test_a_farm_that_is_not_known_is_not_used(home: FarmHome) -> None:
    home.write(shelf(home))
    with pytest.raises(ConfigurationError, match=r"no context 'attic'.*known: shelf"):
        home.use("attic")
    assert home.current() is None


@pytest.mark.parametrize("name", ["", ".", "..", "../shelf", "a/b", "/etc", "-x", "ä"])
def test_no_name_leads_out_of_the_home(home: FarmHome, name: str) -> None:
    with pytest.raises(ConfigurationError, match="no farm is called"):
        home.folder(name)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is not JSON"),
        ("{", "is not JSON"),
        ("[]", "has no address"),
        ("{}", "has no address"),
        ('{"address": 8001}', "has no address"),
        ('{"address": "a:1", "ca": 7}', "ca must be text"),
    ],
)
def test_damage_is_named(home: FarmHome, text: str, says: str) -> None:
    home.write(shelf(home))
    home.folder("shelf").context.write_text(text)
    with pytest.raises(ConfigurationError, match=rf"context\.json.* {says}"):
        home.context("shelf")


def test_what_it_does_not_know_it_ignores(home: FarmHome) -> None:
    home.write(shelf(home))
    file = home.folder("shelf").context
    file.write_text(json.dumps(json.loads(file.read_text()) | {"newer": 1}))
    assert home.context("shelf") == shelf(home)
