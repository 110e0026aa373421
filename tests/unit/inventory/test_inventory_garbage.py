"""Whatever a file holds, it is an inventory or refused with its name."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.core.errors import ConfigurationError
from farm.inventory import Inventory, load_inventory
from farm.inventory.ansible import import_ansible
from farm.inventory.reading import parse_inventory

SHELF = """\
farm: {name: shelf, power: {price_per_kwh: 0.3, currency: EUR}, gateway: {names: [a.example]}}
defaults: &all {user: pi, labels: {rack: a}}
hosts:
  pi-0: {address: 198.18.0.10, role: head}
  pi-[1:3]: {<<: *all, address: "198.18.0.[11:13]", meter: {type: pmic}}
"""
ANSIBLE = """\
[workers]
pi-[01:03]:2222 ansible_host='198.18.0.1' # one
[pis:children]
workers
[all:vars]
ansible_user = "pi"
"""

# Words of the form, so that garbage gets past its first checks.
WORDS = st.sampled_from(
    ["farm", "defaults", "hosts", "name", "gateway", "power", "embedded", "nodes", "address",
     "role", "head", "node", "both", "labels", "meter", "type", "shelly", "url", "http://a",
     "pi-[1:3]", "198.18.0.[1:3]", "198.18.0.1", "port", "22", "-1", "children", "vars", "all",
     "currency", "EUR", "tariff", "timezone", "UTC", "periods", "days", "mon", "start", "07:00",
     "price_per_kwh", "fx", "from", "to", "date", "grid", "baseline", "baselines", "board"]
)  # fmt: skip
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.text(max_size=20)
TREES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(WORDS | st.text(max_size=9), inner, max_size=6)
    ),
    max_leaves=12,
)


def check(text: str) -> None:
    try:
        inventory = parse_inventory(text, file="shelf.yaml", folder=Path())
    except ConfigurationError as error:
        assert error.message.startswith("shelf.yaml")
        assert all(line.isprintable() for line in error.message.splitlines())
        return
    assert isinstance(inventory, Inventory)
    names = {host.name for host in inventory.hosts}
    assert len(names) == len({host.address for host in inventory.hosts}) == len(inventory.hosts)
    assert (inventory.farm.embedded is None) == bool(inventory.hosts)


@settings(deadline=None)
@given(st.text(max_size=200))
def test_any_text(text: str) -> None:
    check(text)


@settings(deadline=None)
@given(TREES)
def test_any_yaml(tree: object) -> None:
    check(yaml.safe_dump(tree))


@settings(deadline=None)
@given(farm=TREES, defaults=TREES, host=TREES)
def test_any_values_in_the_right_places(farm: object, defaults: object, host: object) -> None:
    check(yaml.safe_dump({"farm": farm, "defaults": defaults, "hosts": {"pi-[1:3]": host}}))


@settings(deadline=None)
@given(tariff=TREES, fx=TREES, grid=TREES, baselines=SCALARS)
def test_any_power(tariff: object, fx: object, grid: object, baselines: object) -> None:
    power = {"currency": "EUR", "tariff": tariff, "fx": fx, "grid": grid, "baselines": baselines}
    host = {"address": "198.18.0.10", "role": "both"}
    check(yaml.safe_dump({"farm": {"name": "a", "power": power}, "hosts": {"pi-1": host}}))


@settings(deadline=None)
@given(
    st.integers(0, len(SHELF)), st.integers(0, 30),
    st.sampled_from(["", "[", "]", "{", "}", ":", "*all", "&all", "\t", "\n", "!x ", "'", "\x00",
                     "[1:9]", "<<: *all", "- ", "? ", "%", "|", "\ud800", "\x85", "\U0001f353"]),
)  # fmt: skip
def test_a_shelf_with_a_slip(place: int, cut: int, put: str) -> None:
    check(SHELF[:place] + put + SHELF[place + cut :])


@settings(deadline=None)
@given(raw=st.binary(max_size=60))
def test_any_bytes(raw: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.getbasetemp() / "garbage.yaml"
    file.write_bytes(raw)
    with pytest.raises(ConfigurationError):
        load_inventory(file)


@settings(deadline=None)
@given(
    st.integers(0, len(ANSIBLE)), st.integers(0, 20),
    st.sampled_from(["", "[", "]", "=", ":", "'", '"', "\n", "#", "{{ x }}", "[1:9]", "\x00", ":x"])
    | st.text(max_size=5),
)  # fmt: skip
def test_an_ini_of_ansible_with_a_slip(place: int, cut: int, put: str) -> None:
    convert(ANSIBLE[:place] + put + ANSIBLE[place + cut :], "hosts.ini")


@settings(deadline=None)
@given(TREES)
def test_any_yaml_as_one_of_ansible(tree: object) -> None:
    convert(yaml.safe_dump({"all": {"hosts": {"pi-01": None}, "children": tree}}), "hosts.yaml")


def convert(text: str, name: str) -> None:
    try:
        imported = import_ansible(text, file=Path(name), head="pi-01", farm_name="shelf")
    except ConfigurationError as error:
        assert name in error.message
        return
    if not imported.problems:
        inventory = parse_inventory(imported.text, file="result", folder=Path())
        assert inventory.head.name == "pi-01"
