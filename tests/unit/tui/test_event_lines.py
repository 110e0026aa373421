"""An event fits into its line, and steers no terminal."""

import pytest
from farm_events import event
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from farm.core.events import Severity
from tui.glyphs import glyphs
from tui.readings.event_lines import event_line


@pytest.mark.parametrize("width", [40, 80, 200])
def test_severity_is_told_without_a_colour(width: int) -> None:
    texts = []
    for severity in Severity:
        line = event_line(event(severity=severity), width, glyphs(ascii_only=True))
        texts.append("".join(text for text, _ in line))
        assert (str(severity) in texts[-1]) == (width >= 64)
    assert len(set(texts)) == len(Severity)


@given(
    kind=st.text(),
    subject=st.text(),
    detail=st.text(),
    width=st.integers(0, 250),
    number=st.integers(-(2**63) // 10**9, 2**33),
)
@settings(deadline=None)
def test_a_line_has_its_width_whatever_was_told(
    kind: str, subject: str, detail: str, width: int, number: int
) -> None:
    told = event(number, kind=kind, subject=subject, detail=detail)
    text = "".join(text for text, _ in event_line(told, width, glyphs(ascii_only=False)))
    assert cell_len(text) <= width
    assert text.isprintable()
