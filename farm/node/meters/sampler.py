"""Asks a meter in the background, often enough for heartbeats and seldom enough to cost little."""

from collections.abc import Callable
from dataclasses import replace
from threading import Event, Lock, Thread
from time import monotonic
from typing import Final

from farm.node.meters.gauge import Gauge, Metered
from farm.node.meters.plausibility import Plausibility
from farm.node.meters.reading import Device, Fault, Reading

# Between two readings pass this many times what one takes, so that a Pi 5 spends at most 5 % of
# one core on its own meter. What takes longer than a tenth of a second is waiting, not work.
_REST: Final = 20
_LONGEST_REST_S: Final = 2.0

# A meter is not lost because it misses one question: a reading outlives the next pause, a
# question that is given up, and the rest after that.
_GIVEN_UP_S: Final = 4.0

# A reading that has begun is not waited for longer; its thread ends with the process.
_CLOSE_S: Final = 5.0


def pause_s(took_s: float, *, interval_s: float) -> float:
    """Return how long to wait after a reading that took so long."""
    return max(interval_s - took_s, min(took_s * _REST, _LONGEST_REST_S))


def fresh_s(pause_s: float) -> float:
    """Return for how long a reading holds if the next one is taken after such a pause."""
    return 2 * pause_s + _GIVEN_UP_S


class Sampler:
    """One meter and the thread that asks it, from `start` to `close`."""

    def __init__(
        self,
        kind: str,
        device: Device,
        *,
        interval_s: float,
        max_w: float,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._kind = kind
        self._device = device
        self.interval_s = interval_s
        self._clock = clock
        longest_s = max(interval_s, _LONGEST_REST_S)
        self._plausibility = Plausibility(max_w, gap_s=fresh_s(longest_s))
        self._gauge = Gauge()
        self._lock = Lock()
        self._closed = Event()
        self._thread = Thread(target=self._run, name="power meter", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._closed.set()
        self._thread.join(_CLOSE_S)

    def tell(self) -> Metered:
        """Return what the meter told up to now; never waits for it."""
        with self._lock:
            metered = self._gauge.tell(self._clock())
        fault = f"the meter {self._device.label} {metered.meter_fault}"
        return replace(metered, meter=self._kind, meter_fault=fault if metered.meter_fault else "")

    def sample(self) -> float:
        """Ask the meter once; return for how many seconds not to ask it again."""
        began = self._clock()
        answer = self._read()
        with self._lock:
            now = self._clock()
            pause = pause_s(now - began, interval_s=self.interval_s)
            found = answer if isinstance(answer, Fault) else self._plausibility.judge(answer, now)
            if isinstance(found, Fault):
                self._gauge.fail(found)
            elif found is not None:
                self._gauge.draw(found, now, fresh_s=fresh_s(pause))
        return pause

    def _read(self) -> Reading | Fault:
        try:
            return self._device.read()
        except Exception as error:
            # A defect of ours: the meter is lost, not the node's heartbeats.
            return Fault(f"cannot be understood ({type(error).__name__}): report this")

    def _run(self) -> None:
        while not self._closed.wait(self.sample()):
            pass
