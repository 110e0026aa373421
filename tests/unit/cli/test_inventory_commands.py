"""`farm inventory`: what it prints, in which form, and how it ends; and `farm up -i`."""

import json
from pathlib import Path

import pytest
from commands import fails, farm, ok

from farm.config import FarmConfig
from farm.inventory import schema
from farm.inventory.reading import parse_inventory
from farm.logs import LogSwitches

SHELF = """\
farm: {name: shelf, power: {currency: EUR}}
hosts:
  pi-0: {address: 198.18.0.10, role: head, port: 2222}
  pi-[1:3]: {address: "198.18.0.[11:13]", board: rpi5-8gb, board_price: 80, labels: {rack: a}}
"""


@pytest.fixture
def shelf(tmp_path: Path) -> str:
    file = tmp_path / "shelf.yaml"
    file.write_text(SHELF, encoding="utf-8")
    return str(file)


def test_a_right_file_is_one_line(shelf: str) -> None:
    line = f"{shelf}: ok, 4 hosts, head pi-0, 3 nodes\n"
    assert ok("inventory", "check", "-i", shelf) == line
    assert ok("inventory", "check", env={"FARM_INVENTORY": shelf}) == line


def test_a_wrong_file_is_all_its_problems_and_a_usage_error(shelf: str) -> None:
    text = SHELF.replace("head,", "haed,").replace("rack: a", "rack: ''")
    Path(shelf).write_text(text, encoding="utf-8")
    result = farm("inventory", "check", "-i", shelf)
    assert (result.exit_code, result.stdout) == (2, "")
    first, *problems = result.stderr.splitlines()
    assert first == f"farm: {shelf} has 2 problems:"
    assert [line.partition(": ")[0] for line in problems] == [f"{shelf}:3", f"{shelf}:4"]


def test_a_file_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    assert "cannot be read" in fails(2, "inventory", "check", "-i", str(tmp_path / "none.yaml"))


def test_hosts_are_shown_with_their_ranges_expanded(shelf: str) -> None:
    table = ok("inventory", "show", "-i", shelf)
    for word in ("pi-0", "198.18.0.10 port 2222", "pi-3", "198.18.0.13", "rack=a", "80 EUR"):
        assert word in table


def test_only_some_hosts_are_shown(shelf: str) -> None:
    printed = ok("inventory", "show", "-i", shelf, "--limit", "pi-[2:3]", "-o", "json")
    document = json.loads(printed)["inventory"]
    assert [host["name"] for host in document["hosts"]] == ["pi-2", "pi-3"]
    assert document["hosts"][0]["address"] == "198.18.0.12"
    assert document["farm"]["gateway"]["tls"] == "mutual"
    assert "'pi-9'" in fails(2, "inventory", "show", "-i", shelf, "--limit", "pi-9")


def test_an_embedded_farm_is_told_in_a_line(tmp_path: Path) -> None:
    file = tmp_path / "local.yaml"
    file.write_text("farm: {name: local, embedded: {nodes: 2}}\n", encoding="utf-8")
    assert ok("inventory", "show", "-i", str(file)) == "local: an embedded farm of 2 nodes\n"


def test_the_schema_is_printed() -> None:
    assert json.loads(ok("inventory", "schema")) == schema()


def test_an_ansible_inventory_becomes_one_that_is_right(tmp_path: Path) -> None:
    source = tmp_path / "hosts.ini"
    source.write_text("[pis]\npi-[01:02] http_port=80\n[pis:vars]\nansible_user=me\n")
    (tmp_path / "group_vars").mkdir()
    result = farm("inventory", "import", str(source), "--head", "pi-01", "--name", "lab")
    assert result.exit_code == 0
    assert "http_port of 2" in result.stderr
    assert f"group_vars beside {source} is not read" in result.stderr
    inventory = parse_inventory(result.stdout, file="result", folder=tmp_path)
    assert (inventory.farm.name, inventory.head.name, inventory.head.user) == ("lab", "pi-01", "me")


def test_an_import_that_must_be_corrected_is_partly_failed(tmp_path: Path) -> None:
    source = tmp_path / "hosts.ini"
    source.write_text("a ansible_host=x\nb ansible_host=x\n")
    result = farm("inventory", "import", str(source), "--head", "a")
    assert result.exit_code == 3
    assert "farm: correct by hand: the result:" in result.stderr
    assert "address: x" in result.stdout


def test_up_refuses_an_inventory_of_hosts(shelf: str) -> None:
    assert f"use `farm bootstrap -i {shelf}`" in fails(2, "up", "-i", shelf)


@pytest.mark.parametrize(("flags", "nodes"), [((), 2), (("--nodes", "1"), 1)])
def test_up_takes_an_embedded_farms_settings_and_its_nodes_unless_told_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: tuple[str, ...], nodes: int
) -> None:
    file = tmp_path / "local.yaml"
    power = "{currency: EUR, price_per_kwh: 0.36}"
    text = f"farm: {{name: attic, embedded: {{nodes: 2}}, power: {power}}}\n"
    file.write_text(text, encoding="utf-8")
    run: list[FarmConfig] = []
    monkeypatch.setattr("farm.embedded.run_embedded", lambda config, **_: run.append(config))
    monkeypatch.setattr("farm.logs.configure_logging", LogSwitches)
    ok("up", "-i", str(file), *flags)
    assert [(config.name, config.nodes) for config in run] == [("attic", nodes)]
    assert run[0].grpc == FarmConfig().grpc
    assert (run[0].power.currency, run[0].power.price_per_kwh) == ("EUR", 0.36)
