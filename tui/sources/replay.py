"""Plays a recording of a gateway."""

import os
from collections.abc import Callable
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Final

from farm.core.errors import ConfigurationError
from tui.sources.playback import News, Playback, Steered
from tui.sources.recording import check_header, index_of
from tui.sources.reel import Reel
from tui.sources.source import LinkChanged, LinkState, Update

# How soon what was steered is seen. Of the snapshots between two looks the last one is told.
_LOOK_S: Final = 0.1


class Replay(Steered):
    """A recording as a source whose time can be steered."""

    def __init__(self, path: Path, *, speed: float = 1.0) -> None:
        """Open a recording.

        Raises:
            ConfigurationError: it cannot be read, or is no recording that can be played here.
        """
        super().__init__()
        self._path = path
        self._speed = speed
        try:
            self._file = path.open("rb")
            self._size = os.fstat(self._file.fileno()).st_size
            check_header(self._read)
        except OSError as error:
            raise ConfigurationError(
                f"--replay: {path} cannot be read: {error.strerror}"
            ) from error
        except ConfigurationError as error:
            self._file.close()
            raise ConfigurationError(f"--replay: {path}: {error.message}") from error

    @property
    def title(self) -> str:
        return f"recording {self._path.name}"

    def follow(self, tell: Callable[[Update], None], stop: Event) -> None:
        """Play until `stop` is set; at its end the recording can be wound back."""
        tell(LinkChanged(state=LinkState.CONNECTING, detail="looking through the recording"))
        try:
            with self._file:
                self._play(tell, stop)
        except OSError as error:
            detail = f"{self._path} cannot be read any more: {error.strerror}"
            tell(LinkChanged(state=LinkState.DOWN, detail=detail))

    def _read(self, size_bytes: int, offset: int) -> bytes:
        return os.pread(self._file.fileno(), size_bytes, offset)

    def _play(self, tell: Callable[[Update], None], stop: Event) -> None:
        index = index_of(self._read, self._size, stop.is_set)
        reel = Reel(self._read, index)
        if not index.unix_ns:
            tell(LinkChanged(state=LinkState.ENDED, detail=f"the recording is empty{reel.flaws}"))
            return
        self._playback = Playback(
            index.unix_ns[0], index.unix_ns[-1], speed=self._speed, now=monotonic()
        )
        news = News(tell)
        while not stop.is_set():
            playhead, jumped = self._playback.look(monotonic())
            at = playhead.at_unix_ns
            for update in reel.wound(at) if jumped else reel.until(at):
                tell(update)
            news.tell(playhead)
            news.tell(reel.link(playhead))
            stop.wait(_LOOK_S)
