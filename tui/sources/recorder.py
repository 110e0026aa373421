"""Writes down what a gateway tells."""

import os
from contextlib import suppress
from pathlib import Path
from queue import Full, Queue
from threading import Thread
from typing import TYPE_CHECKING, Final, TypeAlias

from farm.core.clock import Clock, SystemClock
from farm.core.errors import ConfigurationError
from farm.core.private_files import PRIVATE
from tui.sources.recording import HEADER, FrameKind, frame

if TYPE_CHECKING:
    from farm.pb.farm_admin_pb2 import FarmSnapshot, WatchEventsResponse

    _Told: TypeAlias = tuple[FrameKind, int, FarmSnapshot | WatchEventsResponse]

# Messages that may wait for the disk; while it does not take them, more are left out.
_MAX_WAITING: Final = 256
# What the disk has to take all of them when the screen ends.
_CLOSE_S: Final = 5.0


class Recorder:
    """A new recording, a `Tap` of its source. A thread of its own writes: nothing here waits."""

    def __init__(self, path: Path, *, clock: Clock | None = None) -> None:
        """Begin a recording in a new file that nobody else may read.

        Raises:
            ConfigurationError: the file exists or cannot be written.
        """
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
        except FileExistsError as error:
            raise ConfigurationError(
                f"--record: {path} exists; name another file or remove it"
            ) from error
        except OSError as error:
            raise ConfigurationError(
                f"--record: {path} cannot be written: {error.strerror}"
            ) from error
        self._file = os.fdopen(descriptor, "wb")
        self._clock = clock or SystemClock()
        self._latest_ns = 0
        self._waiting: Queue[_Told | None] = Queue(_MAX_WAITING)
        self._fault = ""
        self._thread = Thread(target=self._write, name="recorder", daemon=True)
        self._thread.start()

    @property
    def fault(self) -> str:
        """Why the recording is not whole, for a human; empty as long as it is."""
        return self._fault

    def snapshot(self, message: "FarmSnapshot") -> None:
        self._keep(FrameKind.SNAPSHOT, message)

    def events(self, message: "WatchEventsResponse") -> None:
        self._keep(FrameKind.EVENTS, message)

    def close(self) -> None:
        """Write what waits and end the file; a disk that hangs is not waited for for long."""
        with suppress(Full):
            self._waiting.put(None, timeout=_CLOSE_S)
        self._thread.join(_CLOSE_S)

    def _keep(self, kind: FrameKind, message: "FarmSnapshot | WatchEventsResponse") -> None:
        try:
            self._waiting.put_nowait((kind, self._clock.unix_ns(), message))
        except Full:
            self._fault = self._fault or "the disk is too slow: the recording has gaps"

    def _write(self) -> None:
        """Write until the end, or until the disk fails; then take what is told and leave it."""
        failed = False
        content = HEADER
        while True:
            try:
                if not failed:
                    self._file.write(content)
                    self._file.flush()
            except OSError as error:
                failed = True
                self._fault = f"the recording ended: {error.strerror}"
            told = self._waiting.get()
            if told is None:
                break
            if not failed:
                kind, unix_ns, message = told
                # A clock that is set back must not turn the order of frames round.
                self._latest_ns = max(self._latest_ns, unix_ns)
                content = frame(kind, self._latest_ns, message.SerializeToString())
        with suppress(OSError):
            self._file.close()
