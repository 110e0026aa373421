"""Which columns of the table of nodes there are, in which order its rows stand."""

import pytest
from farm_readings import node, snapshot
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.core.nodes import NodeState
from farm.core.snapshots import NodeSnapshot, NodeWork
from tui.glyphs import glyphs
from tui.readings.cell_text import Role
from tui.readings.columns import COLUMNS, Column
from tui.readings.names import short_board
from tui.readings.reading import NodeReading, Reader
from tui.readings.rows import cells, fitting, ordered
from tui.readings.sparkline import sparkline

BY_ID = {column.id: column for column in COLUMNS}


def readings(*nodes: NodeSnapshot) -> list[NodeReading]:
    return list(Reader().read(snapshot(nodes=nodes)).nodes.values())


def shown(reading: NodeReading, *, ascii_only: bool = False) -> dict[str, str]:
    columns = [(column, column.width) for column in COLUMNS]
    texts = cells(reading, columns, glyphs(ascii_only))
    return {column.id: text for (column, _), (text, _) in zip(columns, texts, strict=True)}


def test_a_node_as_a_row() -> None:
    (reading,) = readings(node(work=NodeWork(failures_total=2), throttle_flags=0x50001))
    assert shown(reading, ascii_only=True) == {
        "node": "pi-01", "board": "Pi 5", "state": "o ready", "load": "25%",
        "trend": "       ,", "slots": "1/4", "memory": "25%", "temp": "55 °C",
        "clock": "2.4 GHz", "flags": "Ut", "watts": "4.2 W ~", "joules": "-", "requests": "0",
        "rows": "-", "batch": "-", "errors": "2", "age": "0 s",
    }  # fmt: skip


def test_a_node_that_never_came_up() -> None:
    unknown = NodeSnapshot(
        node_id="pi-9", state=NodeState.JOINING, reason="", profile=None, vitals=None,
        heartbeat_age_s=None,
    )  # fmt: skip
    (reading,) = readings(unknown)
    told = shown(reading)
    assert {told[name] for name in ("board", "load", "temp", "flags", "watts", "age")} == {"-"}
    for column in COLUMNS:
        ordered([reading], column)


def test_what_a_lost_node_told_is_muted() -> None:
    (reading,) = readings(node(state=NodeState.LOST, temperature_c=90.0))
    columns = [(BY_ID[name], 10) for name in ("node", "state", "temp")]
    roles = [role for _, role in cells(reading, columns, glyphs(False))]
    assert roles == [Role.PLAIN, Role.ERROR, Role.MUTED]


@pytest.mark.parametrize(
    ("board", "name"),
    [
        ("Raspberry Pi 4 Model B Rev 1.5", "Pi 4B"),
        ("Raspberry Pi 5 Model B Rev 1.0", "Pi 5"),
        ("Raspberry Pi 3 Model B Plus Rev 1.3", "Pi 3B+"),
        ("Raspberry Pi Compute Module 4 Rev 1.1", "CM4"),
        ("Raspberry Pi Zero 2 W Rev 1.0", "Zero 2 W"),
        ("x86_64", "x86_64"),
        ("", ""),
    ],
)
def test_boards_as_people_say_them(board: str, name: str) -> None:
    assert short_board(board) == name


@pytest.mark.parametrize(
    ("width", "ids"),
    [
        (40, "node state load temp flags requests"),
        (80, "node state load trend temp flags watts joules requests rows errors"),
        (200, " ".join(BY_ID)),
    ],
)
def test_the_columns_of_a_width(width: int, ids: str) -> None:
    assert [column.id for column, _ in fitting(COLUMNS, width, 6)] == ids.split()


@settings(deadline=None)
@given(
    st.sets(st.sampled_from(COLUMNS)).map(lambda chosen: [c for c in COLUMNS if c in chosen]),
    st.integers(1, 300),
    st.integers(0, 300),
)
def test_columns_fit(chosen: list[Column], width: int, longest: int) -> None:
    columns = fitting(chosen, width, longest)
    assert [column for column in chosen if column in [c for c, _ in columns]] == [
        column for column, _ in columns
    ]
    if len(columns) > 1:
        assert sum(wide for _, wide in columns) + len(columns) - 1 <= width


def test_rows_in_order_the_unknown_last_either_way() -> None:
    nodes = readings(
        node("pi-10", temperature_c=60.0),
        node("pi-2", temperature_c=60.0),
        node("pi-1", temperature_c=None),
        node("pi-3", temperature_c=70.0),
    )

    def names(column: str, *, reverse: bool = False) -> list[str]:
        return [r.node.node_id for r in ordered(nodes, BY_ID[column], reverse=reverse)]

    assert names("node") == ["pi-1", "pi-2", "pi-3", "pi-10"]
    assert names("node", reverse=True) == ["pi-10", "pi-3", "pi-2", "pi-1"]
    assert names("temp") == ["pi-3", "pi-2", "pi-10", "pi-1"]
    assert names("temp", reverse=True) == ["pi-2", "pi-10", "pi-3", "pi-1"]


def test_trouble_comes_first_by_state() -> None:
    nodes = readings(
        node("a"), node("b", state=NodeState.CORDONED), node("c", state=NodeState.LOST)
    )
    assert [r.node.node_id for r in ordered(nodes, BY_ID["state"])] == ["c", "b", "a"]


def test_a_sparkline() -> None:
    assert sparkline([0, 0.01, 0.5, None, 1], 7, "0123", top=1.0) == "  012 3"
    assert sparkline([9, 2, 4], 2, "0123") == "23"
    assert sparkline([0, 0], 2, "0123") == "00"


@settings(deadline=None)
@given(st.lists(st.one_of(st.none(), st.floats())), st.integers(1, 100))
def test_a_sparkline_of_whatever_comes(values: list[float | None], width: int) -> None:
    assert len(sparkline(values, width, "0123")) == width
    assert len(sparkline(values, width, "0123", top=1.0)) == width
