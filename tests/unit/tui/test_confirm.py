"""A question before something is done."""

import pytest
from screen_text import screen_text
from still_top import StillTop

from tui.widgets.confirm import Confirm


@pytest.mark.parametrize(
    ("keys", "meant"),
    [("y", True), ("n", False), ("escape", False), ("enter", False), ("shift+tab,enter", True)],
)
async def test_only_a_yes_is_one(keys: str, meant: bool) -> None:
    app = StillTop()
    answers: list[bool | None] = []
    async with app.run_test(size=(80, 24)) as pilot:
        question = Confirm("Drain pi-[01]?", "3 batches end their run first", yes="drain")
        app.push_screen(question, answers.append)
        await pilot.pause()
        assert "Drain pi-[01]?" in screen_text(app)
        assert "3 batches end their run first" in screen_text(app)
        await pilot.press(*keys.split(","))
        await pilot.pause()
    assert answers == [meant]


async def test_a_click_answers() -> None:
    app = StillTop()
    answers: list[bool | None] = []
    async with app.run_test(size=(40, 12)) as pilot:
        app.push_screen(Confirm("Unload digits?"), answers.append)
        await pilot.pause()
        assert await pilot.click("#yes")
        await pilot.pause()
    assert answers == [True]
