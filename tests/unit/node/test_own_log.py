"""What a process wrote to its standard error, read back."""

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.node import own_log as module
from farm.node.own_log import read_own_log

CODE = """
import json, sys
from farm.node.own_log import read_own_log
def said(text):
    sys.stderr.write(text); sys.stderr.flush()
said("one\\ntwo\\nthr")
told = [read_own_log(0)]
said("ee\\n")
told.append(read_own_log(told[0][0]))
told.append(read_own_log(1 << 40 | 5))
told.append(read_own_log(told[0][0] + 10**6))
print(json.dumps([[position % (1 << 40), text] for position, text in told]))
"""


def run(stderr: object) -> list[list[object]]:
    ended = subprocess.run(  # type: ignore[call-overload]
        [sys.executable, "-c", CODE], stderr=stderr, check=True, stdout=subprocess.PIPE, timeout=30
    )
    told: list[list[object]] = json.loads(ended.stdout)
    return told


def test_whole_lines_are_read_from_where_they_were_left(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as log:
        first, second, of_another_process, of_a_cut_file = run(log)
    assert first == [8, "one\ntwo\n"]
    assert second == [14, "three\n"]
    assert of_another_process == of_a_cut_file == [14, "one\ntwo\nthree\n"]


def test_what_is_no_file_is_not_read() -> None:
    assert run(subprocess.PIPE) == [[0, ""]] * 4


class Log:
    """A file that stands in for this process's standard error."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self._file = folder / "log"
        self._file.touch()
        link = folder / "stderr"
        link.symlink_to(self._file)
        patch.setattr(module, "_STANDARD_ERROR", link)

    def append(self, text: str) -> None:
        with self._file.open("a", encoding="utf-8") as file:
            file.write(text)

    @property
    def text(self) -> str:
        return self._file.read_text(encoding="utf-8")


def test_what_is_too_much_is_cut_at_lines_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_BYTES", 16)
    log = Log(tmp_path, monkeypatch)
    log.append("a first line\n" * 3)
    position, text = read_own_log(0)
    assert text == "a first line\n"
    log.append("short\n" * 10)
    position, text = read_own_log(position)
    assert text == "(48 bytes were left out)\n" + "short\n" * 2
    log.append("x" * 100)
    position, text = read_own_log(position)
    assert text == "(84 bytes were left out)\n" + "x" * 16
    assert read_own_log(position) == (position, "")


@settings(deadline=None)
@given(st.lists(st.text(alphabet="ab\n\u00e9", max_size=12), max_size=12))
def test_nothing_is_told_twice_or_lost(parts: list[str]) -> None:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        log = Log(Path(folder), patch)
        position, told = 0, ""
        for part in parts:
            log.append(part)
            position, text = read_own_log(position)
            told += text
        assert told == log.text[: log.text.rfind("\n") + 1]
