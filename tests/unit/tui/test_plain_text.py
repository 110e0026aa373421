"""Painted lines in ASCII."""

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from tui.plain_text import plain


def test_frames_and_letters() -> None:
    assert plain("┌─ über 62 °C … ─┐") == "+- uber 62  C ~ -+"


def test_what_has_no_likeness_takes_its_room() -> None:
    assert plain("派 x") == "?? x"


@settings(deadline=None)
@given(st.text())
def test_any_text_is_ascii_of_the_same_width(text: str) -> None:
    shown = plain(text)
    assert shown.isascii()
    assert cell_len(shown) == sum(map(cell_len, text))
