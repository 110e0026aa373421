"""A line of the log is one line, whatever names and words of others it holds."""

import io
import json
import sys
from collections.abc import Callable, Iterator

import pytest
import structlog

from farm.logs import LogSwitches, configure_logging

HOSTILE = "x\n2026-01-01T00:00:00Z [error] forged\r\x1b[2J\x1b]0;t\x07\x9b31m\u202eder\u2028\0"


Logging = Callable[[io.StringIO], LogSwitches]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def logging() -> Iterator[Logging]:
    """Set logging up, to be called in the test itself: pytest has a stderr for each phase."""
    before = sys.stderr

    def begin(stream: io.StringIO) -> LogSwitches:
        sys.stderr = stream
        return configure_logging()

    try:
        yield begin
    finally:
        sys.stderr = before
        structlog.reset_defaults()


streams = pytest.mark.parametrize(
    "stderr",
    [pytest.param(io.StringIO, id="JSON"), pytest.param(Terminal, id="terminal")],
)


def without_colours(text: str) -> str:
    """What structlog paints is its own."""
    for colour in ("\x1b[0m", "\x1b[1m", "\x1b[2m", *(f"\x1b[3{n}m" for n in range(8))):
        text = text.replace(colour, "")
    return text


@streams
def test_names_of_others_neither_forge_a_line_nor_steer_a_terminal(
    logging: Logging, stderr: type[io.StringIO]
) -> None:
    stream = stderr()
    switches = logging(stream)
    log = structlog.get_logger()
    log.warning("request_refused", model=HOSTILE, names=[HOSTILE], reason="x" * 100_000)
    log.info(HOSTILE, node="pi-01")
    written = without_colours(stream.getvalue())
    lines = written.removesuffix("\n").split("\n")
    assert len(lines) == 2
    assert all(line.isprintable() for line in lines)
    assert all(len(line) < 20_000 for line in lines)
    if not isinstance(stream, Terminal):
        first, second = map(json.loads, lines)
        assert first["event"] == "request_refused"
        assert first["model"].startswith(r"x\n2026-01-01T00:00:00Z [error] forged\r\x1b[2J")
        assert second["event"].endswith(r"\u2028\x00")
    count, recent = switches.recent.after(0)
    assert count == 2
    assert [line.level for line in recent] == ["warning", "info"]
    assert all(line.text.isprintable() for line in recent)


@streams
def test_a_traceback_keeps_its_lines(logging: Logging, stderr: type[io.StringIO]) -> None:
    stream = stderr()
    switches = logging(stream)
    try:
        raise ValueError(HOSTILE)
    except ValueError as error:
        structlog.get_logger().error("unexpected_exception", exc_info=error)
    written = without_colours(stream.getvalue())
    assert "Traceback" in written
    assert r"\x1b[2J" in written.replace("\\\\", "\\")
    assert written.replace("\n", "").isprintable()
    count, recent = switches.recent.after(0)
    assert count == len(recent) > 2
    assert all(line.text.isprintable() for line in recent)
