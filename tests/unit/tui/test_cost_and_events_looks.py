"""Cost and events in every size, theme and alphabet: as wide as the terminal, and legible."""

import pytest
from farm_costs import NOW_NS, Books
from farm_events import many
from rich.cells import cell_len
from screen_text import screen_lines
from still_top import StillTop, until

from tui.options import TopOptions
from tui.sources.source import EventsCame
from tui.theme import DARK, LIGHT

SIZES = [(40, 12), (80, 24), (200, 60)]
LOOKS = {
    "dark": TopOptions(theme=DARK),
    "light": TopOptions(theme=LIGHT),
    "no_color": TopOptions(no_color=True),
    "ascii": TopOptions(ascii_only=True),
}


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("key", "told"), [("3", "0.000259 EUR"), ("4", "error")])
async def test_a_screen_looks_as_it_should(
    key: str, told: str, size: tuple[int, int], look: str
) -> None:
    app = StillTop(
        EventsCame(events=many(100)),
        operator=Books(),  # type: ignore[arg-type]
        options=LOOKS[look],
    )
    if key == "3":
        app.at_unix_ns = NOW_NS
    # A narrow terminal tells the severity of an event by its symbol.
    told = ("x" if look == "ascii" else "✗") if told == "error" and size[0] == 40 else told
    async with app.run_test(size=size) as pilot:
        await pilot.press(key)
        await until(pilot, lambda: told in "\n".join(screen_lines(app)))
        lines = screen_lines(app)
    assert len(lines) == size[1]
    assert max(map(cell_len, lines)) <= size[0]
    assert all(line.isprintable() for line in lines)
    if look == "ascii":
        assert all(line.isascii() for line in lines)
