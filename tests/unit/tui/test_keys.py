"""The screen's keys, and an operator's own."""

import pytest
from farm_events import many
from farm_readings import model, node, snapshot
from hypothesis import given, settings
from hypothesis import strategies as st
from screen_text import screen_text
from still_top import StillTop

from farm.core.errors import ConfigurationError
from tui.keys import KEYS, bound, checked_keys, key_of
from tui.options import TopOptions
from tui.screens.export_choice import ExportChoice
from tui.sources.source import EventsCame, SnapshotCame
from tui.widgets.confirm import Confirm
from tui.widgets.model_table import ModelTable


def test_the_keys_that_are_bound_by_default_fit_together() -> None:
    assert checked_keys({}) == {}


def test_a_binding_has_the_id_that_operators_name_it_by() -> None:
    binding = bound("sort_reverse", "sort(True)", show=True)
    assert (binding.id, binding.key, binding.action) == ("sort_reverse", "S", "sort(True)")


def test_an_action_by_other_keys() -> None:
    assert checked_keys({"quit": "ctrl+q, Q"}) == {"quit": "ctrl+q,Q"}


def test_two_actions_may_change_keys() -> None:
    assert checked_keys({"sort": "e", "export": "s"})


def test_screens_that_are_never_shown_together_may_share_a_key() -> None:
    assert checked_keys({"cordon": "c", "columns": "c"})


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"fly": "f"}, "there is no action 'fly'; known are overview, models"),
        ({"quit": "nosuchkey"}, "there is no key 'nosuchkey'"),
        ({"quit": ""}, "there is no key ''"),
        ({"quit": "hyper+x"}, "there is no key 'hyper\\+x'"),
        ({"quit": "t"}, "theme and quit would both be 't'"),
        ({"quit": "question_mark"}, "help and quit would both be '\\?'"),
        ({"drain": "s"}, "sort and drain would both be 's'"),
    ],
)
def test_keys_that_cannot_be_are_refused_in_words(keys: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        checked_keys(keys)


def test_keys_are_told_as_they_are_bound() -> None:
    assert key_of("no", {}) == "n"
    assert key_of("no", {"no": "ctrl+n,x"}) == "ctrl+n"


@pytest.mark.parametrize("view", ["overview", "models", "events"])
async def test_the_keys_of_every_table_can_be_others(view: str) -> None:
    nodes = tuple(map(node, ("pi-01", "pi-02", "pi-03")))
    models = tuple(model(name) for name in ("a", "b", "c"))
    came = SnapshotCame(snapshot=snapshot(nodes=nodes, models=models))
    own = {"up": "w", "down": "x", "first": "f5", "last": "f6"}
    app = StillTop(came, EventsCame(events=many(3)), options=TopOptions(keys=own))
    async with app.run_test(size=(80, 60)) as pilot:
        app.action_go(view)
        await pilot.pause()

        def cursor() -> int:
            table = app.focused
            return table.cursor_row if isinstance(table, ModelTable) else table._index

        await pilot.press("f5")
        assert cursor() == 0
        await pilot.press("down", "j")
        assert cursor() == 0
        await pilot.press("x")
        assert cursor() == 1
        await pilot.press("w", "f6")
        assert cursor() == 2
        await pilot.press("?")
        await pilot.pause()
        assert "f5                 first" in screen_text(app)


async def test_a_question_names_the_keys_that_answer_it() -> None:
    app = StillTop(options=TopOptions(keys={"yes": "j", "export_csv": "f2"}))
    async with app.run_test(size=(80, 24)) as pilot:
        app.push_screen(Confirm("Drain pi-01?", yes="drain"))
        await pilot.pause()
        assert "j  drain" in screen_text(app)
        app.pop_screen()
        app.push_screen(ExportChoice())
        await pilot.pause()
        assert "f2  CSV" in screen_text(app)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(KEYS)), st.text(max_size=12)))
def test_whatever_is_written_is_taken_or_refused(keys: dict[str, str]) -> None:
    try:
        taken = checked_keys(keys)
    except ConfigurationError:
        return
    assert set(taken) == set(keys)
