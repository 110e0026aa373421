"""The screen's keys, and an operator's own."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.core.errors import ConfigurationError
from tui.keys import KEYS, bound, checked_keys


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


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(KEYS)), st.text(max_size=12)))
def test_whatever_is_written_is_taken_or_refused(keys: dict[str, str]) -> None:
    try:
        taken = checked_keys(keys)
    except ConfigurationError:
        return
    assert set(taken) == set(keys)
