"""The overview as it is painted, by farm, size and theme.

After a change that is meant: `pytest --snapshot-update`, and a look at what has changed.
"""

from typing import Any

import pytest
from overview_farms import FARMS, overview
from rich.cells import cell_len
from screen_text import screen_lines
from textual.pilot import Pilot

from tui.options import TopOptions
from tui.theme import DARK, LIGHT

SIZES = ((40, 12), (80, 24), (200, 60))


async def _settle(pilot: Pilot[None]) -> None:
    await pilot.pause()


@pytest.mark.parametrize("theme", [DARK, LIGHT])
@pytest.mark.parametrize("name", FARMS)
def test_the_overview(snap_compare: Any, name: str, theme: str) -> None:
    app = overview(name, TopOptions(theme=theme))
    assert snap_compare(app, terminal_size=(80, 24), run_before=_settle)


@pytest.mark.parametrize("size", [(40, 12), (200, 60)])
def test_the_overview_in_other_sizes(snap_compare: Any, size: tuple[int, int]) -> None:
    assert snap_compare(overview("one_node_down"), terminal_size=size, run_before=_settle)


# What must be seen, whatever the size.
TOLD = {
    "no_data": ("waiting for first sample", "connecting"),
    "stale": ("12 s old", "does not answer", "pi-01", "● ready"),
    "one_node_down": ("3 of 4 up, 1 lost", "✗ lost", "✗ pi-03 lost"),
    "throttled": ("84 °C", "✗ pi-02 under-voltage"),
    "200_nodes": ("200 of 200 up", "100 req/s", "pi-01"),
}


LOOKS = (TopOptions(theme=DARK), TopOptions(theme=LIGHT), TopOptions(no_color=True))


@pytest.mark.parametrize("options", LOOKS, ids=["dark", "light", "no_color"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", FARMS)
async def test_what_is_told(name: str, size: tuple[int, int], options: TopOptions) -> None:
    app = overview(name, options)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        lines = screen_lines(app)
        assert len(lines) == size[1]
        assert max(map(cell_len, lines)) <= size[0]
        for words in TOLD[name]:
            assert words in "\n".join(lines)
        assert ("no alerts" in "\n".join(lines)) == (name in ("stale", "200_nodes"))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", FARMS)
async def test_in_ascii(name: str, size: tuple[int, int]) -> None:
    app = overview(name, TopOptions(ascii_only=True))
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        assert all(line.isascii() for line in screen_lines(app))
