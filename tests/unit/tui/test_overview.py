"""What an operator does on the overview, and sees."""

import pytest
from farm_readings import node, snapshot
from overview_farms import UP, overview
from screen_text import screen_lines, screen_text
from still_top import StillTop, tell
from textual.events import MouseScrollDown
from textual.widgets import SelectionList

from farm.core.nodes import NodeState
from farm.core.snapshots import NodeSnapshot
from tui.sources.source import SnapshotCame
from tui.widgets.node_table import NodeTable

NODES = (
    node("pi-1", cpu_fraction=0.2, temperature_c=50.0),
    node("pi-2", cpu_fraction=0.9, temperature_c=70.0),
    node("pi-10", cpu_fraction=0.5, temperature_c=60.0),
)


def came(*nodes: NodeSnapshot, at_s: float = 0.0) -> SnapshotCame:
    return SnapshotCame(snapshot=snapshot(at_s, nodes=nodes))


def small() -> StillTop:
    return StillTop(UP, came(*NODES))


def rows(app: StillTop) -> list[str]:
    """The nodes of the table from top to bottom; the one with the cursor has a mark."""
    lines = [line.split()[0] for line in screen_lines(app) if "Pi 5" in line or " ready " in line]
    return [name.replace("▌", ">") for name in lines]


async def test_the_cursor_stays_on_its_node_wherever_that_goes() -> None:
    app = small()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("down")
        assert rows(app) == ["pi-1", ">pi-2", "pi-10"]
        await tell(pilot, came(node("pi-0"), *NODES, at_s=1))
        assert rows(app) == ["pi-0", "pi-1", ">pi-2", "pi-10"]
        await tell(pilot, came(NODES[0], NODES[2], at_s=2))
        assert rows(app) == ["pi-1", ">pi-10"]
        await tell(pilot, came(at_s=3))
        assert "no node has joined yet" in screen_text(app)
        await tell(pilot, came(*NODES, at_s=4))
        assert rows(app) == ["pi-1", ">pi-2", "pi-10"]


async def test_sorted_by_one_column_after_the_other_and_the_other_way_round() -> None:
    app = small()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("s", "s")
        assert "loa▼" in screen_text(app)
        assert rows(app) == ["pi-2", "pi-10", ">pi-1"]
        await pilot.press("S")
        assert rows(app) == [">pi-1", "pi-10", "pi-2"]


async def test_a_click_on_a_title_sorts_and_a_second_one_turns_round() -> None:
    app = small()
    async with app.run_test(size=(80, 24)) as pilot:
        title = screen_lines(app)[3].index("temp") + 1
        await pilot.click(NodeTable, offset=(title, 0))
        assert rows(app) == ["pi-2", "pi-10", ">pi-1"]
        await pilot.click(NodeTable, offset=(title, 0))
        assert rows(app) == [">pi-1", "pi-10", "pi-2"]


async def test_a_click_moves_the_cursor_and_two_open_the_node(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(StillTop, "open_node", lambda _, node_id: opened.append(node_id))
    app = small()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.click(NodeTable, offset=(5, 3))
        assert rows(app) == ["pi-1", "pi-2", ">pi-10"]
        assert not opened
        await pilot.click(NodeTable, offset=(5, 2), times=2)
        await pilot.press("down", "enter")
        await pilot.pause()
        assert opened == ["pi-2", "pi-10"]


async def test_keys_go_through_200_nodes() -> None:
    app = overview("200_nodes")
    async with app.run_test(size=(80, 24)) as pilot:
        for keys, seen in (
            (["end"], "▌pi-200"),
            (["home", "pagedown"], "▌pi-18"),
            (["up"], "▌pi-17"),
            (["pageup", "pageup"], "▌pi-01"),
            (["up"], "▌pi-01"),
        ):
            await pilot.press(*keys)
            await pilot.pause()
            assert seen in screen_text(app)


async def test_the_wheel_scrolls_and_leaves_the_cursor_where_it_is() -> None:
    app = overview("200_nodes")
    async with app.run_test(size=(80, 24)) as pilot:
        table = app.screen.query_one(NodeTable)
        await pilot._post_mouse_events([MouseScrollDown], table, offset=(5, 5), button=0)
        await pilot.pause()
        assert "pi-01" not in screen_text(app)
        assert table.node_id == "pi-01"
        await pilot.press("down")
        await pilot.pause()
        assert "▌pi-02" in screen_text(app)


async def test_a_filter_as_it_is_typed() -> None:
    app = small()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("slash", *"load>40")
        await pilot.pause()
        assert rows(app) == [">pi-2", "pi-10"]
        assert "2 of 3" in screen_text(app)
        await pilot.press("enter")
        await pilot.pause()
        await pilot.press("down")
        assert rows(app) == ["pi-2", ">pi-10"]
        await tell(pilot, came(node("pi-0", cpu_fraction=0.9), *NODES, at_s=1))
        assert rows(app) == ["pi-0", "pi-2", ">pi-10"]
        await pilot.press("slash", *" x>")
        await pilot.pause()
        assert "x: no such part" in screen_text(app)
        await pilot.press("escape")
        await pilot.pause()
        assert rows(app) == ["pi-0", "pi-1", "pi-2", ">pi-10"]
        assert "no such part" not in screen_text(app)


async def test_a_filter_that_takes_no_node() -> None:
    app = small()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("slash", *"mars")
        await pilot.press("enter")
        await pilot.pause()
        assert "no node matches the filter" in screen_text(app)
        await pilot.press("enter", "down", "end", "s")


async def test_columns_are_chosen() -> None:
    app = small()
    async with app.run_test(size=(80, 24)) as pilot:
        assert "flags" in screen_lines(app)[3]
        await pilot.press("c")
        await pilot.pause()
        app.screen.query_one(SelectionList).deselect("flags")
        await pilot.press("escape")
        await pilot.pause()
        assert "flags" not in screen_lines(app)[3]
        assert "slots" in screen_lines(app)[3]


async def test_from_one_alert_to_the_next() -> None:
    app = StillTop(
        UP, came(*NODES, *(node(name, state=NodeState.LOST) for name in ("a", "b", "c")))
    )
    async with app.run_test(size=(80, 24)) as pilot:
        seen = []
        for key in ("n", "n", "n", "n", "N"):
            await pilot.press(key)
            await pilot.pause()
            seen.append(app.screen.query_one(NodeTable).node_id)
        assert seen == ["a", "b", "c", "a", "c"]
        assert "▌✗ 3 nodes lost: a, b, c" in screen_text(app)


async def test_an_alert_of_a_node_that_the_filter_hides() -> None:
    app = StillTop(UP, came(*NODES, node("gone", state=NodeState.LOST)))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("slash", *"pi-", "enter")
        await pilot.pause()
        await pilot.press("n")
        await pilot.pause()
        assert [each.message for each in app._notifications] == ["the filter hides gone"]


async def test_names_and_reasons_are_shown_as_they_are() -> None:
    app = StillTop(
        UP,
        came(
            node("[red]pi\x1b[2J[/]", state=NodeState.LOST, reason="[/]\n[link=x]"),
            node("größer-als-die-spalte-für-namen-breit-ist", state=NodeState.LOST),
            node("日本語", state=NodeState.SUSPECT),
        ),
    )
    for size in ((80, 24), (40, 12), (12, 3)):
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            assert len(screen_lines(app)) == size[1]
        app = StillTop(UP, *[came(*(each.node for each in app.store.reading.nodes.values()))])
    async with app.run_test(size=(120, 24)) as pilot:
        await pilot.pause()
        assert "[red]pi\\x1b[2J[/]" in screen_text(app)
        assert "[/]\\n[link=x]" in screen_text(app)
