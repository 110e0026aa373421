"""What tables and files do with names that are anybody's, and with targets that are no files."""

import os
import stat
from pathlib import Path

import pytest

from farm.cli.ledger_export import completed
from farm.cli.tables import print_table


def test_names_mean_nothing_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_table("[red]of[/red]", ("[b]",), [("[/oops] [bold]x",), ("\x1b[31m\x00y",)])
    shown = capsys.readouterr().out
    for text in ("[red]of[/red]", "[b]", "[/oops] [bold]x", r"\x1b[31m\x00y"):
        assert text in shown
    assert "\x1b" not in shown


def test_a_pipe_is_written_to_and_stays_one(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with completed(pipe) as file:
            file.write_text("a report")
        assert os.read(reader, 100) == b"a report"
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
