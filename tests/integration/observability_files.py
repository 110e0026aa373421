"""The dashboard and the alerts as an operator gets them, and every expression in them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parents[2] / "docs" / "observability"
ALERTS = FOLDER / "alerts.yaml"
ALERTS_TEST = FOLDER / "alerts.test.yaml"
README = FOLDER / "README.md"


def dashboard() -> Any:
    return json.loads((FOLDER / "farm-dashboard.json").read_text())


def alerts() -> list[Any]:
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def expressions() -> Iterator[tuple[str, str]]:
    """Yield every expression with where it stands."""
    for rule in alerts():
        yield rule["alert"], rule["expr"]
    board = dashboard()
    for panel in board["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]
    for note in board["annotations"]["list"]:
        yield note["name"], note["expr"]
