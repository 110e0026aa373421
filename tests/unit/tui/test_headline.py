"""The farm in a few figures, and text in so many cells."""

from dataclasses import replace

from farm_readings import model, node, snapshot
from hypothesis import given, settings
from hypothesis import strategies as st
from overview_farms import farm
from rich.cells import cell_len

from farm.core.energy import EnergySource
from farm.core.nodes import NodeState
from farm.core.snapshots import FarmSnapshot, NodeSnapshot
from tui.glyphs import glyphs
from tui.readings.cell_text import Line, Role, cut_off, fitted, line_width
from tui.readings.headline import headline
from tui.readings.reading import Reader, Reading

GLYPHS = glyphs(False)


def reading(*snapshots: FarmSnapshot) -> Reading:
    reader = Reader()
    return [reader.read(each) for each in snapshots][-1]


def told(shown: Reading | None, width: int = 80, lines: int = 3) -> list[str]:
    return ["".join(text for text, _ in line) for line in headline(
        shown, GLYPHS, width=width, lines=lines
    )]  # fmt: skip


AT_WORK = reading(*(farm(at_s) for at_s in range(11)))


def test_what_a_farm_does_draws_and_costs() -> None:
    first, second, third = told(AT_WORK, width=74)
    assert first == "shelf serving  4 of 4 up  100 req/s  p50 2.4 ms  p95 9.6 ms  queue 3"
    assert second.endswith("100 mJ/req  0.0200 EUR per 1,000, aws-lambda-arm64 0.110 USD")
    assert third.startswith("req/s ")


def test_what_is_not_known_is_not_0() -> None:
    text = " ".join(told(reading(snapshot(nodes=(node(watts=None),), models=(model(),)))))
    assert "p50 -" in text
    assert "-/req" in text
    assert "- per 1,000" in text
    assert "0 W" not in text
    assert told(None) == ["waiting for first sample"]


def test_watts_are_as_sure_as_the_least_sure_of_them_and_leave_out_the_lost() -> None:
    nodes = (
        node("a", watts=4.0, source=EnergySource.MEASURED),
        node("b", watts=5.0, source=EnergySource.MODELLED),
        node("c", watts=6.0, state=NodeState.LOST),
    )
    assert "9.0 W ≈" in " ".join(told(reading(snapshot(nodes=nodes))))


def test_hosts_without_a_name_are_not_one_host() -> None:
    def on(host: str, node_id: str) -> NodeSnapshot:
        made = node(node_id, watts=4.0)
        assert made.profile is not None
        return replace(made, profile=replace(made.profile, host=host))

    nodes = (on("", "a"), on("", "b"), on("shared", "c"), on("shared", "d"))
    assert "12 W" in " ".join(told(reading(snapshot(nodes=nodes))))


def test_up_is_what_can_serve_and_the_others_are_told_by_their_state() -> None:
    def up(*states: NodeState) -> str:
        nodes = tuple(node(f"pi-{n}", state=state) for n, state in enumerate(states))
        return told(reading(snapshot(nodes=nodes)), width=120)[0].split("  ")[1]

    ready, joining = NodeState.READY, NodeState.JOINING
    assert up(ready, ready) == "2 of 2 up"
    assert up(ready, joining, ready) == "2 of 3 up, 1 joining"
    assert (
        up(joining, NodeState.SUSPECT, ready, NodeState.LOST, NodeState.CORDONED)
        == "1 of 5 up, 1 lost, 1 suspect, 1 cordoned, 1 joining"
    )
    assert up() == "0 of 0 up"


def test_the_first_figures_stay_where_there_is_room_for_few() -> None:
    assert told(AT_WORK, width=38, lines=1) == ["shelf serving  4 of 4 up  100 req/s"]


@settings(deadline=None)
@given(st.integers(1, 300), st.integers(1, 4))
def test_it_keeps_to_its_room(width: int, lines: int) -> None:
    shown = told(AT_WORK, width, lines)
    assert len(shown) <= lines
    assert all(cell_len(line) <= width for line in shown)


@settings(deadline=None)
@given(st.text(), st.integers(1, 40), st.booleans())
def test_any_text_takes_the_cells_it_is_given(text: str, width: int, right: bool) -> None:
    shown = fitted(text, width, "…", right=right)
    assert cell_len(shown) == width
    assert shown.isprintable()


LINES = st.lists(st.tuples(st.text(st.characters(codec="ascii")), st.sampled_from(Role)))


@settings(deadline=None)
@given(LINES, st.integers(0, 40))
def test_a_line_is_cut_where_its_room_ends(line: Line, width: int) -> None:
    left = cut_off(line, width, "…")
    assert line_width(left) <= width or line_width(left) == line_width(line)
