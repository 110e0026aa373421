"""A program in a terminal of its own: what it paints, and when."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from benchmarks.report import ROOT

# More than a screenful, with all of its colours.
_READ_BYTES: Final = 1 << 16
_END_TIMEOUT_S: Final = 10.0
_COLOURS: Final = re.compile(rb"\x1b\[[0-9;:]*m")


class Terminal:
    """The other end of a program's terminal."""

    def __init__(self, process: subprocess.Popen[bytes], end: int) -> None:
        self.pid = process.pid
        self.painted_bytes = 0
        self._end = end

    def press(self, keys: bytes) -> float:
        """Type; return when."""
        pressed_at = time.perf_counter()
        os.write(self._end, keys)
        return pressed_at

    def wait_for(self, pattern: bytes, timeout_s: float) -> float:
        """Return when something was painted, colours left out, from now on.

        Raises:
            TimeoutError: it was not.
        """
        wanted, seen = re.compile(pattern), b""
        until = time.perf_counter() + timeout_s
        while (left_s := until - time.perf_counter()) > 0:
            seen += self._read(left_s)
            came_at = time.perf_counter()
            if wanted.search(_COLOURS.sub(b"", seen)):
                return came_at
        raise TimeoutError(f"{pattern!r} was not painted in {timeout_s:g} s")

    def watch(self, seconds: float) -> None:
        """Let the program paint for so long."""
        until = time.perf_counter() + seconds
        while (left_s := until - time.perf_counter()) > 0:
            self._read(left_s)

    def _read(self, timeout_s: float) -> bytes:
        if not select.select([self._end], [], [], timeout_s)[0]:
            return b""
        try:
            painted = os.read(self._end, _READ_BYTES)
        except OSError as error:
            raise EOFError("the program has ended") from error
        self.painted_bytes += len(painted)
        return painted


@contextmanager
def in_terminal(
    command: Sequence[str], env: Mapping[str, str], *, columns: int, lines: int
) -> Iterator[Terminal]:
    """Run a command in a terminal of some size, and end it."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    try:
        process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=ROOT, start_new_session=True,
            env={**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", **env},
        )  # fmt: skip
    finally:
        os.close(theirs)
    try:
        yield Terminal(process, ours)
    finally:
        # A program that is still painting would wait for someone to read that.
        os.close(ours)
        process.terminate()
        try:
            process.wait(_END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
