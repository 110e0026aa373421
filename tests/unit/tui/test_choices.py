"""What was chosen by hand is there at the next start."""

from functools import partial
from pathlib import Path

import pytest
from farm_costs import NOW_NS, Books
from farm_readings import model, node, snapshot
from hypothesis import given, settings
from hypothesis import strategies as st
from screen_text import screen_text
from scripted_operator import ScriptedOperator
from still_top import StillTop, until

from farm.core.errors import ConfigurationError
from tui.choices import Choices, read_choices, write_choices
from tui.options import TopOptions
from tui.readings.columns import COLUMNS
from tui.sources.source import LinkChanged, LinkState, SnapshotCame
from tui.widgets.node_table import NodeTable

UP = LinkChanged(state=LinkState.UP)
FARM = SnapshotCame(snapshot=snapshot(nodes=(node("pi-01"), node("pi-02")), models=(model(),)))

WORDS = st.text(max_size=20)


@settings(deadline=None)
@given(
    st.builds(
        Choices,
        theme=WORDS,
        columns=st.lists(WORDS, max_size=5).map(tuple),
        sort=WORDS,
        reverse=st.booleans(),
        baseline=WORDS,
        period_s=st.integers(),
    )
)
def test_what_is_kept_comes_back(tmp_path_factory: pytest.TempPathFactory, kept: Choices) -> None:
    path = tmp_path_factory.mktemp("home") / "farm" / "top-state.json"
    write_choices(path, kept)
    assert read_choices(path) == kept
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_without_a_file_nothing_was_chosen(tmp_path: Path) -> None:
    assert read_choices(tmp_path / "none" / "top-state.json") == Choices()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is damaged"),
        ("[]", "is damaged"),
        ("[" * 100_000, "is damaged"),
        ('{"theme": "nord"}', "is damaged"),
        ('{"version": 1, "theme": 3}', "is damaged"),
        ('{"version": 1, "reverse": 1}', "is damaged"),
        ('{"version": 1, "period_s": true}', "is damaged"),
        ('{"version": 1, "columns": ["a", 1]}', "is damaged"),
        ('{"version": 1, "fly": ""}', "is damaged"),
        ('{"version": 1, "theme": "\xff"}', "is damaged"),
        ('{"version": 2, "fly": ""}', "another version"),
    ],
)
def test_a_file_that_is_wrong_is_named(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "top-state.json"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(ConfigurationError, match=f"top-state.json.*{said}"):
        read_choices(path)


def test_a_folder_where_a_file_should_be(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_choices(tmp_path)


def again(app: StillTop) -> StillTop:
    """Return the app of the next start."""
    return StillTop(UP, FARM, options=TopOptions(choices=app.choices, theme=app.choices.theme))


async def test_columns_order_and_theme_are_as_they_were_left() -> None:
    app = StillTop(UP, FARM)
    async with app.run_test(size=(120, 24)) as pilot:
        await pilot.press("s", "S", "t", "c", "space", "escape")
        await pilot.pause()
        await pilot.press("2", "s")
        await pilot.pause()
    assert app.choices.theme == "farm-light"
    assert app.choices.sort not in {"", "node"}
    assert 0 < len(app.choices.columns) < len(COLUMNS)
    later = again(app)
    async with later.run_test(size=(120, 24)) as pilot:
        await pilot.pause()
        table = later.screen.query_one(NodeTable)
        assert (table._by.id, table._reverse) == (app.choices.sort, True)
        assert [column.id for column in table.chosen] == list(app.choices.columns)
        assert later.theme == "farm-light"
        await pilot.press("2")
        await until(pilot, lambda: f"by {app.choices.models_sort} " in screen_text(later))
    assert later.choices == app.choices


async def test_the_period_and_the_baseline_of_costs_are_as_they_were_left() -> None:
    def top(choices: Choices) -> StillTop:
        app = StillTop(
            UP,
            FARM,
            operator=Books(),
            options=TopOptions(choices=choices),  # type: ignore[arg-type]
        )
        app.at_unix_ns = NOW_NS
        return app

    app = top(Choices())
    async with app.run_test(size=(200, 60)) as pilot:
        await pilot.press("3", "z")
        await until(pilot, lambda: "[7 d]" in screen_text(app))
        await until(pilot, lambda: "(dashed)" in screen_text(app))
        await pilot.press("tab", "down")
        await until(pilot, lambda: app.choices.baseline)
    later = top(app.choices)
    async with later.run_test(size=(200, 60)) as pilot:
        await pilot.press("3")
        await until(pilot, lambda: "[7 d]" in screen_text(later))
        await until(pilot, lambda: f"{app.choices.baseline} (dashed)" in screen_text(later))
        await pilot.pause()
    assert later.choices == app.choices


async def test_how_far_back_plots_go_is_as_it_was_left() -> None:
    app = StillTop(UP, FARM, operator=ScriptedOperator())
    async with app.run_test(size=(80, 24)) as pilot:
        app.open_node("pi-01")
        await pilot.pause()
        await pilot.press("z", "z")
        app.open_node("pi-02")
        await until(pilot, lambda: "-1 h" in screen_text(app))
    assert app.choices.span_s == 3_600


async def test_choices_that_mean_nothing_here_are_passed_over() -> None:
    odd = Choices(
        columns=("fly", "load"), sort="fly", models_sort="fly", baseline="fly", period_s=7, span_s=7
    )
    app = StillTop(UP, FARM, operator=Books(), options=TopOptions(choices=odd))  # type: ignore[arg-type]
    app.at_unix_ns = NOW_NS
    async with app.run_test(size=(200, 60)) as pilot:
        await pilot.pause()
        assert [column.id for column in app.screen.query_one(NodeTable).chosen] == ["node", "load"]
        await pilot.press("2", "3")
        await until(pilot, lambda: "[24 h]" in screen_text(app))
        await until(pilot, lambda: "(dashed)" in screen_text(app))


async def test_what_is_to_be_said_of_earlier_starts_is_said() -> None:
    app = StillTop(UP, FARM, options=TopOptions(notice="[b]top-state.json is damaged"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: "[b]top-state.json is" in screen_text(app))


async def test_what_is_chosen_is_kept_soon_and_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "top-state.json"
    app = StillTop(UP, FARM, options=TopOptions(keep=partial(write_choices, path)))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("t")
        await until(pilot, path.exists)
        assert read_choices(path).theme == "farm-light"
        await pilot.press("t", "q")
    assert read_choices(path).theme == "farm-dark"


async def test_what_cannot_be_kept_is_told(tmp_path: Path) -> None:
    app = StillTop(UP, FARM, options=TopOptions(keep=partial(write_choices, tmp_path)))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await pilot.press("t")
        await until(pilot, lambda: "what you choose is not kept" in screen_text(app))
        await pilot.press("t")


def test_a_home_that_cannot_be_written_to_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="cannot be written"):
        write_choices(tmp_path / "file" / "top-state.json", Choices())
