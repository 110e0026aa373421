"""Dashboard, alerts and the table of metrics name what a real gateway exports, and no more."""

import asyncio
import re
from contextlib import suppress
from pathlib import Path
from time import monotonic

import pytest
from fake_pool import FakePool
from observability_files import ALERTS_TEST, README, alerts, dashboard, expressions
from observed_gateway import (
    WAIT_S,
    Scrape,
    beating,
    closing,
    complete_scrape,
    make_gateway,
    observed_gateway,
    scrape,
)
from promql_names import Selector, names

from farm.app import Gateway

# What Prometheus itself adds: a metric of every target, and labels of every series.
UP = "up"
TARGET = {"job", "instance"}

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Scrape:
    with observed_gateway(tmp_path_factory.mktemp("observed")) as gateway:
        return complete_scrape(gateway)


def unknown(selector: Selector, page: Scrape) -> str:
    """Say what of a selector no series of a page has, or nothing."""
    if selector.metric == UP:
        return ""
    series = page.series.get(selector.metric)
    if series is None:
        return f"there is no {selector.metric}"
    for label, (operator, value) in selector.matchers.items():
        if label in TARGET:
            continue
        found = {labels[label] for labels in series if label in labels}
        if not found:
            return f"{selector.metric} has no label {label}"
        if operator == "=" and value not in found:
            return f"{selector.metric} has no {label}={value}"
    return ""


@pytest.mark.parametrize(("place", "expression"), expressions())
def test_what_is_asked_for_is_exported(place: str, expression: str, page: Scrape) -> None:
    named = names(expression)
    assert named.selectors
    problems = [unknown(selector, page) for selector in named.selectors]
    assert not any(problems), problems
    labels = {
        label
        for selector in named.selectors
        for series in page.series.get(selector.metric, ())
        for label in series
    }
    assert named.groupings <= labels | TARGET


def test_variables_of_the_dashboard_are_labels_of_what_is_exported(page: Scrape) -> None:
    variables = dashboard()["templating"]["list"]
    asked = [v["definition"] for v in variables if v["type"] == "query"]
    assert len(asked) == 3
    for question in asked:
        found = re.fullmatch(r"label_values\((.+), (\w+)\)", question)
        assert found is not None
        expression, label = found.groups()
        (selector,) = names(expression).selectors
        assert not unknown(selector, page)
        assert label in TARGET or all(label in s for s in page.series[selector.metric])


def test_every_panel_has_its_own_place_and_says_what_it_shows() -> None:
    taken: set[tuple[int, int]] = set()
    board = dashboard()
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    for panel in board["panels"]:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert at["x"] + at["w"] <= 24
        assert not cells & taken
        taken |= cells
        assert panel["title"]
        assert panel["type"] == "row" or panel["fieldConfig"]["defaults"]["unit"]
        for target in panel.get("targets", ()):
            assert target["datasource"]["uid"] == "${datasource}"


def test_every_alert_says_what_to_do_and_is_tested() -> None:
    tested = ALERTS_TEST.read_text()
    for rule in alerts():
        assert {"summary", "description", "runbook"} == set(rule["annotations"])
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert rule["alert"] in tested


def test_labels_are_none_that_a_client_could_choose(page: Scrape) -> None:
    labels = {label for series in page.series.values() for each in series for label in each}
    assert labels == {
        "architecture", "board", "code", "cpu_class", "currency", "host", "kind", "le", "meter",
        "model", "node", "onnxruntime", "outcome", "python", "source", "state", "version",
    }  # fmt: skip


def test_the_table_of_metrics_is_what_is_exported(page: Scrape) -> None:
    rows = re.findall(
        r"^\| `((?:farm|nv|process)_[a-z_]+)` \| (\w+) \| (.+?) \|", README.read_text(), re.M
    )
    told = {name: (kind, set(labels.split(", ")) - {"–"}) for name, kind, labels in rows}
    exported = {}
    for name, kind in re.findall(r"^# TYPE (\S+) (\w+)$", page.text, re.M):
        # The library adds when each counter began, as a gauge of its own.
        if not name.endswith("_created"):
            series = page.series[f"{name}_count" if kind == "histogram" else name]
            exported[name] = (kind, {label for labels in series for label in labels})
    assert told == exported


async def test_while_a_gateway_starts_its_nodes_are_seen_already(tmp_path: Path) -> None:
    pool = FakePool(["pi-1"])
    pool.nodes["pi-1"].may_prepare.clear()
    async with beating(pool), closing(make_gateway(tmp_path, pool)) as gateway:
        starting = asyncio.create_task(gateway.start())
        try:
            await _until_shown(gateway, "farm_node_temperature_celsius")
            assert not starting.done(), "its models are still on their way"
            pool.nodes["pi-1"].may_prepare.set()
            await asyncio.wait_for(starting, WAIT_S)
        finally:
            starting.cancel()


async def _until_shown(gateway: Gateway, name: str) -> None:
    give_up = monotonic() + WAIT_S
    while True:
        # It may not listen yet.
        with suppress(OSError):
            page = await asyncio.to_thread(scrape, gateway.metrics_address)
            if name in page.series:
                return
        assert monotonic() < give_up, f"{name} never showed"
        await asyncio.sleep(0.05)
