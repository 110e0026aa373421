"""What a process wrote to its standard error, read back."""

import json
import subprocess
import sys
from pathlib import Path

CODE = """
import json, sys
from farm.node.own_log import read_own_log
sys.stderr.write("one\\ntwo\\n"); sys.stderr.flush()
first = read_own_log(0)
sys.stderr.write("three\\n"); sys.stderr.flush()
print(json.dumps([first, read_own_log(first[0]), read_own_log(10**9)]))
"""


def test_it_is_read_from_where_it_was_left(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as log:
        ended = subprocess.run(
            [sys.executable, "-c", CODE], stderr=log, capture_output=False, check=True,
            stdout=subprocess.PIPE, timeout=30,
        )  # fmt: skip
    assert json.loads(ended.stdout) == [
        [8, "one\ntwo\n"],
        [14, "three\n"],
        [14, "one\ntwo\nthree\n"],
    ]


def test_what_is_no_file_is_not_read() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, check=True, timeout=30
    )
    assert json.loads(ended.stdout) == [[0, ""]] * 3
