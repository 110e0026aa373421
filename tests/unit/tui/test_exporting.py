"""`e` on a screen, and what is in the file then."""

import csv
import json
from pathlib import Path

import pytest
from farm_costs import NOW_NS, Books
from farm_events import many
from farm_readings import model, node, snapshot
from screen_text import screen_text
from still_top import StillTop, until

from farm.core.nodes import NodeState
from tui.screens.cost import CostScreen
from tui.sources.source import EventsCame, SnapshotCame

# By its own target: pages of screens take a while to paint.
pytestmark = pytest.mark.screen

FARM = SnapshotCame(
    snapshot=snapshot(
        nodes=(node("pi-01"), node("pi-02", state=NodeState.LOST, reason="it is silent, =1+1")),
        models=(model(latencies={3: 10}), model("faces")),
    )
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def gone(folder: Path) -> None:
    """The folder that the screen works in is no longer there."""
    folder.rmdir()


def files(folder: Path) -> list[str]:
    """Return what is in the files of a folder."""
    return [path.read_text() for path in folder.iterdir()]


async def exported(app: StillTop, folder: Path, *keys: str, size: tuple[int, int]) -> str:
    """Return what comes into the file when keys are pressed."""
    async with app.run_test(size=size, notifications=True) as pilot:
        await pilot.press(*keys[:-2])
        if isinstance(app.screen, CostScreen):
            await until(pilot, lambda: "EUR" in screen_text(app))
        await pilot.press(*keys[-2:])
        await until(pilot, lambda: "exported to" in screen_text(app))
    (content,) = files(folder)
    return content


async def test_nodes_as_json(folder: Path) -> None:
    told = json.loads(await exported(StillTop(FARM), folder, "e", "j", size=(80, 24)))
    assert told["schema_version"] == 1
    rows = {row["node"]: row for row in told["nodes"]}
    assert rows["pi-01"]["power_source"] == "modelled"
    assert rows["pi-01"]["temperature_c"] == 55.0
    assert rows["pi-02"]["state"] == "lost"


async def test_only_what_the_filter_shows(folder: Path) -> None:
    keys = ("slash", *"lost", "enter", "e", "c")
    text = await exported(StillTop(FARM), folder, *keys, size=(80, 24))
    rows = list(csv.DictReader(text.splitlines()))
    assert [(row["node"], row["reason"]) for row in rows] == [("pi-02", "it is silent, =1+1")]


async def test_models_as_csv(folder: Path) -> None:
    text = await exported(StillTop(FARM), folder, "2", "e", "c", size=(80, 24))
    rows = list(csv.DictReader(text.splitlines()))
    assert [(row["model"], row["ready_nodes"]) for row in rows] == [("digits", "1"), ("faces", "1")]


async def test_events_as_csv(folder: Path) -> None:
    app = StillTop(FARM, EventsCame(events=many(60)))
    text = await exported(
        app, folder, "4", "slash", *"severity:error", "enter", "e", "c", size=(80, 24)
    )
    rows = list(csv.DictReader(text.splitlines()))
    assert len(rows) == 20
    assert {row["severity"] for row in rows} == {"error"}
    assert rows[0]["time"].startswith("2025-06-15T15:06:4")


async def test_costs_as_the_report_has_them(folder: Path) -> None:
    app = StillTop(FARM, operator=Books())  # type: ignore[arg-type]
    app.at_unix_ns = NOW_NS
    told = json.loads(await exported(app, folder, "3", "e", "j", size=(80, 24)))
    cost = told["report"]["sections"]["cost"]["figures"]["total"]
    assert (cost["value"], cost["unit"], cost["source"]) == (0.2592, "EUR", "modelled")
    assert told["report"]["baselines"][0]["read"]


async def test_a_picture_of_the_screen_without_the_question(folder: Path) -> None:
    svg = await exported(StillTop(FARM), folder, "e", "s", size=(80, 24))
    assert svg.startswith("<svg")
    assert "pi-01" in svg
    assert "Export" not in svg
    assert "http" not in svg.replace("http://www.w3.org/2000/svg", "").replace(
        "https://www.textualize.io", ""
    )


async def test_without_anything_to_export_it_says_so(folder: Path) -> None:
    app = StillTop()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await pilot.press("e", "c")
        await until(pilot, lambda: "nothing to export yet" in screen_text(app))
        await pilot.press("e", "escape")
    assert not files(folder)


@pytest.mark.usefixtures("gone")
async def test_a_folder_that_is_gone_is_told() -> None:
    app = StillTop(FARM)
    async with app.run_test(size=(120, 24), notifications=True) as pilot:
        await pilot.press("e", "c")
        await until(pilot, lambda: "cannot be" in screen_text(app))
