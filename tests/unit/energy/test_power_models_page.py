"""docs/power-models.md, the data and the published figures agree."""

from pathlib import Path

import pytest

from farm.core.energy import Band
from farm.energy.boards import Figure, boards, power_model
from farm.energy.meters import ACCURACY
from farm.sections.meter import MeterType

PAGE = Path(__file__).parents[3] / "docs" / "power-models.md"

# geerlingguy/sbc-reviews, 2026-04-10: idle, stress, HPL; then other sources' idle and load.
PUBLISHED = {
    "rpi-zero2w": ((1.2, 3.7, 3.7), (0.6,), ()),
    "rpi3b+": ((3.1, 5.6, None), (1.9,), (5.1,)),
    "rpi4b": ((1.6, 5.0, 7.2), (2.3, 3.0, 3.0), (5.4, 6.3, 6.0)),
    "rpi-cm4": ((2.5, 4.6, 5.2), (), ()),
    "rpi-cm5": ((2.4, 8.5, 9.4), (), ()),
    "rpi5": ((2.8, 9.7, 13.8), (), ()),
}


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the table under a heading, its own head left out."""
    _, _, rest = PAGE.read_text(encoding="utf-8").partition(f"\n## {heading}\n")
    lines = [line for line in rest.partition("\n## ")[0].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def shown(band: Band) -> str:
    return f"{band.typical:.1f} ({band.low:.1f} to {band.high:.1f})"


def numbers(cell: str) -> tuple[float, ...]:
    words = cell.replace("(", " ").split()
    return tuple(float(word) for word in words if word.replace(".", "", 1).isdigit())


def test_the_table_has_every_board_as_it_is_modelled() -> None:
    table = {row[1].strip("`"): row for row in rows("Published figures")}
    assert set(table) == set(boards())
    for name, board in boards().items():
        assert table[name][0] == board.name
        assert table[name][2:4] == [shown(board.power.idle), shown(board.power.load)]


@pytest.mark.parametrize("name", sorted(boards()))
def test_the_data_has_what_was_published_and_nothing_else(name: str) -> None:
    (idle, stress, hpl), more_idle, more_load = PUBLISHED[name]
    (row,) = [row for row in rows("Published figures") if row[1] == f"`{name}`"]
    assert numbers(row[4]) == tuple(figure for figure in (idle, stress, hpl) if figure is not None)
    assert (numbers(row[5]), numbers(row[6])) == (more_idle, more_load)
    board = boards()[name]
    assert board.idle[0].watts == idle
    assert board.load[0].watts == stress
    assert others(board.idle) == more_idle
    # HPL where it adds anything to stress.
    assert others(board.load) == ((hpl,) if hpl not in {None, stress} else ()) + more_load


def others(figures: tuple[Figure, ...]) -> tuple[float, ...]:
    return tuple(figure.watts for figure in figures[1:])


def test_what_is_said_of_other_machines_is_what_is_assumed() -> None:
    text = PAGE.read_text(encoding="utf-8")
    core = power_model(None, cores=1)
    for band, digits in ((core.idle, 2), (core.load, 1)):
        said = f"{band.typical:.{digits}f} W ({band.low:.1f} to {band.high:.1f})"
        assert said in text, said


def test_every_type_of_meter_is_there_with_its_band() -> None:
    table = {row[0].strip("`"): row for row in rows("How far meters are trusted")}
    assert set(table) == set(ACCURACY) == {str(kind) for kind in MeterType}
    for kind, meter in ACCURACY.items():
        told = f"{meter.gain:g} × told + {meter.offset_w:g}" if meter.offset_w else "as told"
        assert table[kind][1:3] == [told, f"± {meter.within:.0%}".replace("%", " %")]
