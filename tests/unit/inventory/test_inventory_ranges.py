"""What a range stands for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.inventory.ranges import MOST_HOSTS, expanded


@pytest.mark.parametrize(
    ("text", "members"),
    [
        ("pi", ["pi"]),
        ("pi-[01:03]", ["pi-01", "pi-02", "pi-03"]),
        ("pi-[8:11]", ["pi-8", "pi-9", "pi-10", "pi-11"]),
        ("pi-[08:11]", ["pi-08", "pi-09", "pi-10", "pi-11"]),
        ("pi-[0:10:5]", ["pi-0", "pi-5", "pi-10"]),
        ("pi-[1:6:2]", ["pi-1", "pi-3", "pi-5"]),
        ("pi-[7:7]", ["pi-7"]),
        ("[a:c]", ["a", "b", "c"]),
        ("[A:E:4]", ["A", "E"]),
        ("r[a:b]-[1:2].lan", ["ra-1.lan", "ra-2.lan", "rb-1.lan", "rb-2.lan"]),
        ("198.18.[0:1].[11:12]", ["198.18.0.11", "198.18.0.12", "198.18.1.11", "198.18.1.12"]),
        ("2001:db8::[1:2]", ["2001:db8::1", "2001:db8::2"]),
    ],
)
def test_both_ends_belong_to_a_range_and_zeros_stay(text: str, members: list[str]) -> None:
    assert expanded(text) == members


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("pi-[3:1]", "ends before it begins"),
        ("pi-[b:a]", "ends before it begins"),
        ("pi-[1:3:0]", "step must be 1 or more"),
        ("pi-[01:100]", "not the same width"),
        ("pi-[8:010]", "not the same width"),
        ("pi-[1:c]", "from one kind to another"),
        ("pi-[a:C]", "from one kind to another"),
        ("pi-[1-3]", "bracket outside of a range"),
        ("pi-[1:3", "bracket outside of a range"),
        ("pi-]", "bracket outside of a range"),
        ("pi-[]", "bracket outside of a range"),
        ("pi-[[1:2]]", "bracket outside of a range"),
        ("[2001:db8::1]", "bracket outside of a range"),
        ("pi-[1:1025]", f"more than {MOST_HOSTS}"),
        ("pi-[0:999999999]", f"more than {MOST_HOSTS}"),
        ("[1:100]-[1:100]", f"more than {MOST_HOSTS}"),
    ],
)
def test_what_is_no_range_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        expanded(text)


@given(first=st.integers(0, 999), count=st.integers(1, 200), step=st.integers(1, 9))
def test_a_range_has_every_number_from_end_to_end_at_one_width(
    first: int, count: int, step: int
) -> None:
    last = first + (count - 1) * step
    members = expanded(f"a[{first:05}:{last:05}:{step}]b")
    assert [int(member[1:-1]) for member in members] == list(range(first, last + 1, step))
    assert {len(member) for member in members} == {7}


@given(st.text("[]:019abZ-.", max_size=30))
def test_any_text_is_expanded_within_bounds_or_refused(text: str) -> None:
    try:
        members = expanded(text)
    except ValueError:
        return
    assert 1 <= len(members) <= MOST_HOSTS
    assert len(set(members)) == len(members)
    assert ("[" in text) or members == [text]
