"""The published schema is the code's, and knows what the reader knows."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from farm.inventory import load_inventory, schema

SHIPPED = Path(__file__).parents[3] / "inventory"
EXAMPLES = sorted(SHIPPED.glob("*.yaml"))


def test_the_published_schema_is_that_of_the_code() -> None:
    published = json.loads((SHIPPED / "schema.json").read_text(encoding="utf-8"))
    assert published == schema(), "run `farm inventory schema > inventory/schema.json`"
    Draft202012Validator.check_schema(published)


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)
def test_what_is_shipped_is_right_and_names_its_schema(file: Path) -> None:
    load_inventory(file)
    text = file.read_text(encoding="utf-8")
    assert text.startswith("# yaml-language-server: $schema=schema.json\n")
    Draft202012Validator(schema()).validate(yaml.safe_load(text))


def test_the_two_farms_are_shipped() -> None:
    assert [file.name for file in EXAMPLES] == ["example.yaml", "local.yaml"]
    assert load_inventory(SHIPPED / "local.yaml").farm.embedded is not None
    assert load_inventory(SHIPPED / "example.yaml").head.name == "pi-head"


@pytest.mark.parametrize(
    "content",
    [
        {"farm": {}},
        {"farm": {"name": "a b"}},
        {"farm": {"name": "a"}, "host": {}},
        {"farm": {"name": "a"}, "hosts": {"pi": {}}},
        {"farm": {"name": "a"}, "hosts": {"pi": {"address": "a", "role": "cook"}}},
        {"farm": {"name": "a"}, "defaults": {"port": 0}},
        {"farm": {"name": "a", "gateway": {"tls": False}}},
    ],
)
def test_an_editor_sees_what_is_wrong(content: dict[str, Any]) -> None:
    assert not Draft202012Validator(schema()).is_valid(content)


def test_an_editor_takes_labels_that_look_like_numbers() -> None:
    content = {"farm": {"name": "a"}, "defaults": {"labels": {"rack": 1, "top": True}}}
    assert Draft202012Validator(schema()).is_valid(content)
