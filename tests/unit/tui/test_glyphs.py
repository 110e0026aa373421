"""The screen's symbols: whatever stands for one in another alphabet is as wide."""

from collections.abc import Iterator, Mapping
from dataclasses import fields

import pytest
from rich.cells import cell_len

from tui.glyphs import Glyphs, glyphs


def symbols(of: Glyphs) -> Iterator[tuple[str, str]]:
    for field in fields(of):
        value = getattr(of, field.name)
        for symbol in value.values() if isinstance(value, Mapping) else value:
            yield field.name, symbol


@pytest.mark.parametrize("ascii_only", [False, True])
def test_every_symbol_takes_one_cell(ascii_only: bool) -> None:
    assert [name for name, symbol in symbols(glyphs(ascii_only)) if cell_len(symbol) != 1] == []


def test_both_alphabets_have_the_same_symbols() -> None:
    names = [[name for name, _ in symbols(glyphs(ascii_only))] for ascii_only in (False, True)]
    assert names[0] == names[1]


def test_the_plain_alphabet_is_ascii() -> None:
    assert all(symbol.isascii() for _, symbol in symbols(glyphs(True)))


@pytest.mark.parametrize("ascii_only", [False, True])
def test_states_differ_without_their_colour(ascii_only: bool) -> None:
    for states in (glyphs(ascii_only).nodes, glyphs(ascii_only).models):
        assert len(set(states.values())) == len(states)
