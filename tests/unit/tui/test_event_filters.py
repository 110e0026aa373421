"""What an operator types to find an event."""

from farm_events import event
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from farm.core.events import EventKind, Severity
from tui.readings.event_filters import parsed

HOT = event(
    kind=EventKind.NODE_THROTTLED, severity=Severity.WARNING, subject="pi-07", detail="85 °C"
)
LOST = event(kind=EventKind.NODE_LOST, severity=Severity.ERROR, subject="pi-08")
READY = event(kind=EventKind.MODEL_READY, subject="digits:1", detail="Warmed up")
ALL = (HOT, LOST, READY)


def found(text: str) -> list[object]:
    return [each for each in ALL if parsed(text).takes(each)]


def test_words_and_parts() -> None:
    assert found("") == [HOT, LOST, READY]
    assert found("warmed") == [READY]
    assert found("PI-0") == [HOT, LOST]
    assert found("severity:error") == [LOST]
    assert found("kind:throttled") == [HOT]
    assert found("kind:node_lost") == found("kind:nodelost") == [LOST]
    assert found("subject:pi-07") == [HOT]
    assert found("detail:pi-07") == []
    assert found("digits:1") == found("digits:") == [READY]
    assert found("sev:error") == found("severity=error") == [LOST]


def test_every_term_must_hold_and_a_sign_turns_one_round() -> None:
    assert found("pi severity:warning") == [HOT]
    assert found("!severity:info !lost") == [HOT]
    assert found("pi-07 pi-08") == []


def test_a_lonely_sign_is_told_and_hides_nothing() -> None:
    assert "!lost" in parsed("! pi-07").problem
    assert found("! pi-07") == [HOT]
    assert not parsed("pi-07").problem
    assert "no such part; there are kind, severity" in parsed("model:digits").problem
    assert "kind is no number" in parsed("kind>3").problem


@given(text=st.text())
@settings(deadline=None)
def test_whatever_is_typed_is_a_filter(text: str) -> None:
    wanted = parsed(text)
    for each in ALL:
        wanted.takes(each)


@given(word=st.text(alphabet="abcdefpi-0178:_", min_size=1))
@settings(deadline=None)
def test_a_term_or_its_opposite_takes_each_event(word: str) -> None:
    assume(not parsed(word).problem)
    assert sorted(map(id, [*found(word), *found(f"!{word}")])) == sorted(map(id, ALL))
