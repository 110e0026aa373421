"""Two lines in one plot, whatever their values and however little room there is."""

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from tui.readings.cell_text import Line, Role
from tui.readings.pairs import Pair
from tui.widgets.pair_plot import plotted


def text(line: Line) -> str:
    return "".join(text for text, _ in line)


def test_both_lines_are_drawn_and_told_apart_without_a_colour() -> None:
    lines = plotted(
        Pair(
            title="cost",
            ours=[(0.0, 1.0), (1.0, 1.0)],
            theirs=[(0.0, 4.0), (1.0, 4.0)],
            left="then",
            right="now",
            mark=(0.5, "here"),
        ),
        30,
        10,
        ascii_only=True,
    )
    assert [text(line).rstrip() for line in lines] == [
        "cost",
        "       5",
        "         .. .. .. .. .. .. ..",
        "",
        "",
        "",
        "         '''''''''''''''''''''",
        "       0",
        "              here ^",
        "         then              now",
    ]
    roles = {role for line in lines[1:8] for cell, role in line if cell.strip()}
    assert roles == {Role.MUTED, Role.TREND, Role.PLAIN}


def test_values_far_apart_have_a_logarithmic_axis() -> None:
    lines = plotted(Pair(title="", ours=[(0.0, 0.001), (1.0, 1_000.0)]), 40, 8, ascii_only=True)
    assert text(lines[1]).split()[0] == "1e+03"
    assert text(lines[6]).split()[0] == "0.001"


def test_what_is_below_the_least_is_not_drawn() -> None:
    pair = Pair(title="", ours=[(0.0, 1.0), (1.0, 100.0)], theirs=[(0.0, 1e-9)], least=0.1)
    assert text(plotted(pair, 40, 8, ascii_only=True)[6]).split()[0] == "1"


values = st.one_of(st.none(), st.floats(), st.floats(0, 1e6))
points = st.lists(st.tuples(st.floats(0, 1), values), max_size=20).map(
    lambda found: sorted(found, key=lambda each: each[0])
)


@given(
    ours=points,
    theirs=points,
    width=st.integers(0, 60),
    height=st.integers(0, 20),
    mark=st.one_of(st.none(), st.tuples(st.floats(0, 1), st.text(max_size=12))),
    ascii_only=st.booleans(),
)
@settings(deadline=None)
def test_it_fits_into_its_room(
    ours: list[tuple[float, float | None]],
    theirs: list[tuple[float, float | None]],
    width: int,
    height: int,
    mark: tuple[float, str] | None,
    ascii_only: bool,
) -> None:
    pair = Pair(title="t", ours=ours, theirs=theirs, left="then", right="now", mark=mark)
    lines = plotted(pair, width, height, ascii_only=ascii_only)
    assert len(lines) <= max(height, 1)
    drawn = [line for line in lines[1:] if any(role is not Role.MUTED for _, role in line)]
    assert all(cell_len(text(line)) <= width for line in drawn)
