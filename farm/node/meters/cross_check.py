"""Whether a meter's watts and its energy counter tell of the same joules."""

from dataclasses import dataclass
from typing import Final

# In steps of the counter: how far the two may be apart beside a factor of 2, as both ends of a
# comparison are uncertain by one; how much shows that they agree; how long it may stand still.
_SLACK_STEPS: Final = 2
_SPAN_STEPS: Final = 20
_STILL_STEPS: Final = 10


@dataclass(slots=True)
class _Said:
    watts: float
    counted_j: float
    now: float


@dataclass(slots=True)
class _Span:
    """What was counted, and what the watts add up to, since the counter moved some time ago.

    `step_j` is the largest step that the counter made at once; `unmoved_j` what the watts add
    up to since it moved last.
    """

    step_j: float
    counted_j: float = 0.0
    held_j: float = 0.0
    unmoved_j: float = 0.0


class CrossCheck:
    """Compares them whenever the counter moves, however coarse it is.

    Watts in another unit or of another socket, and watts or a counter that stand still, are
    off by more than the factor of 2 that is allowed. `agrees` holds until they are, and again
    once they have agreed for a while. After a silence of more than `gap_s` nobody knows what
    the watts were meanwhile, and the comparison begins anew.
    """

    def __init__(self, gap_s: float) -> None:
        self.agrees = True
        self._gap_s = gap_s
        self._last: _Said | None = None
        self._span: _Span | None = None

    def note(self, watts: float, counted_j: float, now: float) -> None:
        """Take what a meter says at a moment, in seconds of a clock that never falls."""
        last, self._last = self._last, _Said(watts, counted_j, now)
        if last is None:
            return
        advance_j = counted_j - last.counted_j
        if advance_j < 0 or now - last.now > self._gap_s:
            self._span = None
        elif self._span is None:
            self._span = _Span(advance_j) if advance_j > 0 else None
        else:
            self._compare(self._span, last.watts * (now - last.now), advance_j)

    def _compare(self, span: _Span, held_j: float, advance_j: float) -> None:
        span.held_j += held_j
        span.unmoved_j += held_j
        span.counted_j += advance_j
        if advance_j > 0:
            span.step_j = max(span.step_j, advance_j)
            span.unmoved_j = 0.0
            apart_j = abs(span.held_j - span.counted_j)
            if apart_j > max(span.held_j, span.counted_j) / 2 + _SLACK_STEPS * span.step_j:
                self.agrees = False
                self._span = _Span(advance_j)
            elif span.counted_j >= _SPAN_STEPS * span.step_j:
                self.agrees = True
                self._span = _Span(advance_j)
        elif span.unmoved_j > _STILL_STEPS * span.step_j:
            self.agrees = False
            self._span = None
