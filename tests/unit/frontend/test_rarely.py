"""What repeats is told once in a while, each source apart."""

import pytest

from farm.frontend import rarely as module
from farm.frontend.rarely import Rarely


def test_the_first_is_told_at_once_and_then_how_many_came_since() -> None:
    rarely = Rarely(apart_s=10.0)
    assert [rarely.due("a", now) for now in (0.0, 1.0, 9.9, 10.0, 11.0, 20.0)] == [
        0, None, None, 2, None, 1,
    ]  # fmt: skip


def test_a_source_without_end_holds_up_no_other() -> None:
    rarely = Rarely(apart_s=10.0)
    for tick in range(100):
        rarely.due("flood", tick / 100)
    assert rarely.due("other", 1.0) == 0
    assert rarely.due("flood", 10.0) == 99


def test_it_remembers_so_many_sources_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SOURCES", 2)
    rarely = Rarely(apart_s=10.0)
    assert [rarely.due(source, 0.0) for source in "abc"] == [0, 0, 0]
    assert rarely.due("c", 1.0) is None
    # Forgotten, so told again.
    assert rarely.due("a", 1.0) == 0
