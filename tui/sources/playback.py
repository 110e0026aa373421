"""How time runs in what is played: at a speed, paused, wound on and back."""

from collections.abc import Callable
from threading import Lock
from time import monotonic
from typing import Final

from tui.sources.source import Playhead, Update

SLOWEST: Final = 0.25
FASTEST: Final = 64.0


class Playback:
    """A playhead between two moments, in Unix nanoseconds; threads may share it.

    `now` is in seconds of a clock of the caller's, the same in every call. The end may be None as
    long as nobody knows it.
    """

    def __init__(
        self, begins_unix_ns: int, ends_unix_ns: int | None, *, speed: float, now: float
    ) -> None:
        self._lock = Lock()
        self._begins_ns, self._ends_ns = begins_unix_ns, ends_unix_ns
        self._speed = min(max(speed, SLOWEST), FASTEST)
        self._paused = False
        # Where it was when it was last steered, and when that was.
        self._from_ns, self._since = begins_unix_ns, now
        self._jumped = False

    def look(self, now: float) -> tuple[Playhead, bool]:
        """Return where it is, and whether it was wound there since the last look."""
        with self._lock:
            jumped, self._jumped = self._jumped, False
            playhead = Playhead(
                at_unix_ns=self._at(now),
                begins_unix_ns=self._begins_ns,
                ends_unix_ns=self._ends_ns,
                speed=self._speed,
                paused=self._paused,
            )
            return playhead, jumped

    def hold(self, unix_ns: int, now: float) -> None:
        """Go on from a moment that it has not got beyond, because what is played is slower."""
        with self._lock:
            if not self._jumped:
                self._from_ns, self._since = unix_ns, now

    def end(self, unix_ns: int) -> None:
        """Take a moment for the end."""
        with self._lock:
            self._ends_ns = unix_ns

    def pause(self, now: float) -> None:
        """Stand still, or go on; at the end begin anew."""
        with self._lock:
            if self._at(now) == self._ends_ns:
                self._paused = False
                self._wind(self._begins_ns, now)
                return
            self._steer(now)
            self._paused = not self._paused

    def slower(self, now: float) -> None:
        with self._lock:
            self._steer(now)
            self._speed = max(self._speed / 2, SLOWEST)

    def faster(self, now: float) -> None:
        with self._lock:
            self._steer(now)
            self._speed = min(self._speed * 2, FASTEST)

    def skip(self, by_ns: int, now: float) -> None:
        """Go on or back from where it is, or from where it was just sent: skips add up."""
        with self._lock:
            self._wind(self._at(now) + by_ns, now)

    def _at(self, now: float) -> int:
        if self._paused:
            return self._within(self._from_ns)
        played_ns = round((now - self._since) * self._speed * 1e9)
        return self._within(self._from_ns + played_ns)

    def _wind(self, unix_ns: int, now: float) -> None:
        """Go to a moment, or to the nearest there is."""
        self._from_ns = self._within(max(unix_ns, self._begins_ns))
        self._since, self._jumped = now, True

    def _within(self, unix_ns: int) -> int:
        return unix_ns if self._ends_ns is None else min(unix_ns, self._ends_ns)

    def _steer(self, now: float) -> None:
        self._from_ns, self._since = self._at(now), now


class Steered:
    """A source whose time is that of a playback, as soon as it has one."""

    def __init__(self) -> None:
        self._playback: Playback | None = None

    def pause(self) -> None:
        """Stand still, or go on; at the end begin anew."""
        if self._playback is not None:
            self._playback.pause(monotonic())

    def slower(self) -> None:
        if self._playback is not None:
            self._playback.slower(monotonic())

    def faster(self) -> None:
        if self._playback is not None:
            self._playback.faster(monotonic())

    def skip(self, by_s: float) -> None:
        """Go on by seconds of its own, or back; as far as there is something."""
        if self._playback is not None:
            self._playback.skip(round(by_s * 1e9), monotonic())


class News:
    """Tells an update where it is another one than the last of its kind."""

    def __init__(self, tell: Callable[[Update], None]) -> None:
        self._tell = tell
        self._last: dict[type[Update], Update] = {}

    def tell(self, update: Update) -> None:
        if self._last.get(type(update)) != update:
            self._last[type(update)] = update
            self._tell(update)
