"""How fast a node really is with a model: its measured curve, corrected by what batches took."""

from collections import deque
from math import inf
from statistics import median

from farm.core.models import LatencyCurve
from farm.scheduling.batching import Sizing, target_rows

# What a correction is the median of: an outlier, or four of them, changes nothing, and a
# node whose pace has changed is known for it after five batches.
WINDOW = 9
# Fewer observations than these leave the curve as it was measured.
ENOUGH = 3
# A correction that moves by less is not worth another curve.
_STEP = 0.03
# How many sizes are remembered, for what a queue asks for is mostly what it asked before.
_SIZES_KEPT = 256


class Pace:
    """What a batch of one model takes on one node.

    `curve` is the measured one, times `correction`, over the node's speed; None where
    nothing was measured. `overhead_s` is what a batch takes beside its compute: the network,
    the gateway and the actor. `threads` is what each batch runs on.
    """

    __slots__ = (
        "_best_rows",
        "_observed_s",
        "_overheads_s",
        "_ratios",
        "_speed",
        "correction",
        "curve",
        "overhead_s",
        "seed",
        "threads",
    )

    def __init__(
        self, seed: LatencyCurve | None, *, threads: int, overhead_s: float, speed: float
    ) -> None:
        self.seed = seed
        self.threads = threads
        self.overhead_s = overhead_s
        self.correction = 1.0
        self.curve = seed
        self._best_rows: dict[Sizing, int] = {}
        self._speed = 1.0
        self._ratios: deque[float] = deque(maxlen=WINDOW)
        self._observed_s: deque[float] = deque(maxlen=WINDOW)
        self._overheads_s: deque[float] = deque(maxlen=WINDOW)
        self.scale(speed)

    def seconds(self, rows: int) -> float:
        """Return the expected seconds of compute; 0 where nothing was ever seen."""
        if self.curve is not None:
            return self.curve.seconds(rows)
        return median(self._observed_s) if self._observed_s else 0.0

    def best_rows(self, sizing: Sizing) -> int:
        """Return the best size of a batch that has all the time it may need."""
        known = self._best_rows.get(sizing)
        if known is None:
            if len(self._best_rows) >= _SIZES_KEPT:
                self._best_rows.clear()
            known = target_rows(sizing, curve=self.curve, time_left_s=inf)
            self._best_rows[sizing] = known
        return known

    def completion_s(self, rows: int) -> float:
        """Return the expected seconds from dispatch to answer on an idle node."""
        return self.overhead_s + self.seconds(rows)

    @property
    def known(self) -> bool:
        """Whether anything is known of how long a batch takes."""
        return self.curve is not None or bool(self._observed_s)

    def scale(self, speed: float) -> bool:
        """Take the node's clock as a share of its highest; return whether that is news."""
        if abs(speed - self._speed) < _STEP:
            return False
        self._speed = speed
        self._rescale()
        return True

    def observe(self, *, rows: int, compute_s: float, overhead_s: float | None) -> bool:
        """Take what a batch took; return whether the expectation moved noticeably.

        `overhead_s` is None for a batch that waited at the node, where nothing tells the
        network from the wait.
        """
        if overhead_s is not None:
            self._overheads_s.append(max(overhead_s, 0.0))
            if len(self._overheads_s) >= ENOUGH:
                self.overhead_s = median(self._overheads_s)
        if self.seed is None:
            fresh = not self._observed_s
            self._observed_s.append(compute_s)
            return fresh
        expected_s = self.seed.seconds(max(rows, 1)) / self._speed
        if expected_s <= 0:
            return False
        self._ratios.append(compute_s / expected_s)
        if len(self._ratios) < ENOUGH:
            return False
        correction = median(self._ratios)
        if abs(correction - self.correction) < _STEP * self.correction:
            return False
        self.correction = correction
        self._rescale()
        return True

    def inherit(self, other: "Pace") -> None:
        """Keep what is known of the network from the same model's former curve."""
        self.overhead_s = other.overhead_s
        self._overheads_s.extend(other._overheads_s)

    def _rescale(self) -> None:
        if self.seed is None:
            return
        self._best_rows.clear()
        self.curve = self.seed.scaled(self.correction / self._speed)
