"""Structured logs on standard error: for people on a terminal, JSON lines elsewhere."""

import contextlib
import sys
from collections import deque
from collections.abc import Mapping, MutableMapping
from threading import Lock
from time import time_ns
from typing import Any, TextIO, cast

import structlog

from farm.core.histories import LogLine
from farm.core.text import printable

# The protocol's switches, each with the levels that it turns on and off.
_SWITCHES: Mapping[str, tuple[str, ...]] = {
    "log_info": ("info",),
    "log_warning": ("warning",),
    "log_error": ("error", "critical", "exception"),
}
_VERBOSE = "log_verbose_level"
# Where and how lines are written is the operator's business on the gateway's own machine.
_FIXED: Mapping[str, str] = {"log_file": "", "log_format": "ISO8601"}

# Of the log, this much at most is kept for operators who are elsewhere.
_RECENT_LINES = 2_000
_RECENT_BYTES = 512 * 1024
# A line that is longer is cut.
_LINE_BYTES = 8 * 1024
# So is a value of a line.
_VALUE_CHARS = 8 * 1024
_TRACEBACK = "exception"
_SHOWN_APART = frozenset({"event", "level", "timestamp"})


class LogSwitches:
    """Which levels of the log are written; a processor of every line.

    Read by name as the protocol's logging extension has it: `log_info`, `log_warning`,
    `log_error` (booleans), `log_verbose_level` (0: no debug lines), and `log_file` and
    `log_format`, which cannot be changed over the network. `recent` keeps the last lines.
    """

    def __init__(self) -> None:
        self._on = dict.fromkeys(_SWITCHES, True)
        self._verbose_level = 0
        self.recent = RecentLines()

    def verbose(self) -> bool:
        """Whether debug lines are written: whoever makes many may spare himself the making."""
        return bool(self._verbose_level)

    def settings(self) -> Mapping[str, bool | int | str]:
        """Return every setting."""
        return {**_FIXED, **self._on, _VERBOSE: self._verbose_level}

    def change(self, settings: Mapping[str, bool | int | str]) -> None:
        """Change settings, all of them or none.

        Raises:
            ValueError: one is unknown, has the wrong type, or cannot be changed.
        """
        for name, value in settings.items():
            self._check(name, value)
        for name, value in settings.items():
            if name in self._on:
                self._on[name] = bool(value)
            elif name == _VERBOSE:
                self._verbose_level = int(value)

    def __call__(
        self, _logger: Any, method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        if method == "debug" and not self._verbose_level:
            raise structlog.DropEvent
        for switch, levels in _SWITCHES.items():
            if method in levels and not self._on[switch]:
                raise structlog.DropEvent
        return event

    def _check(self, name: str, value: bool | int | str) -> None:
        if name in self._on:
            valid = isinstance(value, bool)
        elif name == _VERBOSE:
            valid = isinstance(value, int) and not isinstance(value, bool)
        elif name in _FIXED:
            if value != _FIXED[name]:
                raise ValueError(
                    f"log setting '{name}' cannot be changed over the network; the log goes to"
                    " the gateway's standard error"
                )
            return
        else:
            known = ", ".join(self.settings())
            raise ValueError(f"there is no log setting '{name[:64]}'; there are {known}")
        if not valid:
            wanted = "an unsigned integer" if name == _VERBOSE else "a boolean"
            raise ValueError(f"log setting '{name}' is {wanted}, not {value!r:.40}")


class RecentLines:
    """The last lines of the log, for operators who are elsewhere; a processor of every line.

    Any thread may log, and read.
    """

    def __init__(self) -> None:
        self._lines: deque[tuple[LogLine, int]] = deque()
        self._bytes = 0
        self._count = 0
        # Guards all three, and is held for nothing that might log.
        self._lock = Lock()

    def after(self, number: int) -> tuple[int, list[LogLine]]:
        """Return the lines that followed so many, as far as they are kept, and how many now."""
        with self._lock:
            count, lines = self._count, [line for line, _ in self._lines]
        return count, lines[max(len(lines) - max(count - number, 0), 0) :]

    def __call__(
        self, _logger: Any, method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        words = [f"{name}={value}" for name, value in event.items() if name not in _SHOWN_APART]
        unix_ns, level = time_ns(), str(event.get("level", method))
        # A traceback has many.
        for line in " ".join([str(event.get("event", "")), *words]).splitlines():
            raw = line.encode(errors="replace")[:_LINE_BYTES]
            kept = LogLine(unix_ns=unix_ns, level=level, text=raw.decode(errors="ignore"))
            self._keep(kept, len(raw))
        return event

    def _keep(self, line: LogLine, size_bytes: int) -> None:
        with self._lock:
            self._lines.append((line, size_bytes))
            self._count += 1
            self._bytes += size_bytes
            while len(self._lines) > _RECENT_LINES or self._bytes > _RECENT_BYTES:
                self._bytes -= self._lines.popleft()[1]


def on_one_line(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Show what would begin a line of its own, or steer a terminal, by its number.

    Lines hold names and words of others. A traceback has lines; each of them is made harmless.
    """
    for name, value in event.items():
        if name == _TRACEBACK:
            lines = str(value).split("\n")
            event[name] = "\n".join(printable(line, _VALUE_CHARS) for line in lines)
        elif isinstance(value, str) and (not value.isprintable() or len(value) > _VALUE_CHARS):
            event[name] = printable(value, _VALUE_CHARS)
    return event


class _Stderr:
    """Standard error that may be closed or full without harm to whoever logs."""

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError, ValueError):
            return sys.stderr.write(text)
        return 0

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()


def configure_logging() -> LogSwitches:
    """Set up logging for a process that the farm owns; return what turns levels on and off."""
    renderer: structlog.typing.Processor
    if sys.stderr.isatty():
        renderer = structlog.dev.ConsoleRenderer(colors=True)
    else:
        renderer = structlog.processors.JSONRenderer()
    switches = LogSwitches()
    structlog.configure(
        processors=[
            switches,
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            on_one_line,
            switches.recent,
            renderer,
        ],
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, _Stderr())),
        cache_logger_on_first_use=False,
    )
    return switches
