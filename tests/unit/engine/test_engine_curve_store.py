"""Curves on disk: kept whole, shared by class of node, and never believed when damaged."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from farm.core.errors import ConfigurationError
from farm.core.models import LatencyCurve
from farm.core.nodes import NodeProfile
from farm.engine import curve_store
from farm.engine.curve_store import (
    CurveStore,
    MeasuredCurves,
    curve_key,
    decode_curves_file,
    encode_curves_file,
)

PI = NodeProfile(
    node_id="pi-1",
    incarnation="x",
    slots=4,
    host="pi-1",
    board="Raspberry Pi 5 Model B",
    cpu_class="cortex-a76",
    architecture="aarch64",
    cores=4,
    runtime_version="1.31.1",
    splits=(1, 2, 4),
)
KEY = curve_key(PI, "d" * 64)
MEASURED = MeasuredCurves(
    curves=(LatencyCurve(((1, 0.0164), (2, 0.03)), 1), LatencyCurve(((1, 0.0105),), 4)),
    max_rows=8,
    node_id="pi-1",
    measured_unix_ns=1_700_000_000_000_000_000,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "curves"


def kept(folder: Path) -> Path:
    """The file of `MEASURED`, written."""
    CurveStore(folder).write(KEY, MEASURED)
    (path,) = folder.iterdir()
    return path


def test_curves_come_back_whole_and_say_that_they_were_stored(folder: Path) -> None:
    kept(folder)
    assert CurveStore(folder).read(KEY) == replace(MEASURED, stored=True)


def test_without_a_folder_nothing_is_kept() -> None:
    store = CurveStore(None)
    store.write(KEY, MEASURED)
    assert store.read(KEY) is None


def test_nodes_of_one_class_share_a_key() -> None:
    other = replace(PI, node_id="pi-2", incarnation="y", host="pi-2", pid=7)
    assert curve_key(other, "d" * 64) == KEY


@pytest.mark.parametrize(
    "change",
    [
        {"board": "Raspberry Pi 4 Model B"},
        {"cpu_class": "cortex-a72"},
        {"cores": 2},
        {"runtime_version": "1.27.0"},
        {"slots": 2},
        {"threads_per_slot": 2},
        {"splits": (1,)},
    ],
)
def test_what_makes_another_figure_makes_another_key(folder: Path, change: dict[str, Any]) -> None:
    kept(folder)
    assert CurveStore(folder).read(curve_key(replace(PI, **change), "d" * 64)) is None


def test_machines_without_a_boards_name_share_nothing() -> None:
    laptop = replace(PI, board="x86_64", architecture="x86_64", host="laptop")
    assert curve_key(laptop, "d") != curve_key(replace(laptop, host="server"), "d")


@pytest.mark.parametrize(
    ("max_rows", "covered"), [(8, True), (4, True), (9, False), (64, False), (0, False)]
)
def test_curves_hold_up_to_the_batch_that_they_were_measured_for(
    max_rows: int, covered: bool
) -> None:
    assert MEASURED.covers(max_rows) is covered
    assert replace(MEASURED, max_rows=0).covers(max_rows) is (max_rows == 0)


def without(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda document: document.pop(name)


def points(*given: Any) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        document["curves"][1]["points"] = list(given)

    return change


def changed(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda document: document.update(values)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (changed(format=2), "format is 2, of a newer version"),
        (changed(format=0), "format is 0"),
        (changed(format="1"), "format is '1', not a number"),
        (without("format"), "format is None"),
        (lambda d: d["key"].update(digest="e" * 64), "key.digest is 'eee"),
        (lambda d: d["key"].update(board="Raspberry Pi 3"), "key.board is 'Raspberry Pi 3'"),
        (lambda d: d["key"].update(splits=[1]), "key.splits is a list"),
        (changed(key=[]), "key is a list"),
        (changed(curves=[]), "curves has none"),
        (changed(curves={}), "curves is a dict"),
        (lambda d: d["curves"][1].update(threads=1), "two for one number of threads"),
        (lambda d: d["curves"][1].update(threads=3), r"curves\[1\]\.threads is 3"),
        (lambda d: d["curves"][1].update(threads=-1), r"curves\[1\]\.threads is -1"),
        (lambda d: d["curves"].append(7), r"curves\[2\]\.threads is None"),
        (points(), r"curves\[1\]\.points has no rows"),
        (points([2, 0.1], [1, 0.2]), "do not ascend"),
        (points([1, 0.1], [1, 0.2]), "do not ascend"),
        (points([1, 0.1], [2, 0]), r"curves\[1\]\.points\[1\] is a list"),
        (points([1, -0.5]), r"points\[0\]"),
        (points([1, float("nan")]), r"points\[0\]"),
        (points([1, float("inf")]), r"points\[0\]"),
        (points([1, 10**400]), r"points\[0\]"),
        (points([0, 0.1]), r"points\[0\]"),
        (points([1, 0.1], [10**400, 0.2]), r"points\[1\]"),
        (points([1.5, 0.1]), r"points\[0\]"),
        (points([1]), r"points\[0\]"),
        (points("1"), r"points\[0\] is '1'"),
        (changed(max_rows=-1), "max_rows is -1"),
        (changed(max_rows=True), "max_rows is True"),
        (without("measured_on"), "measured_on is None"),
        (without("measured_unix_ns"), "measured_unix_ns is None"),
        (changed(measured_unix_ns=1 << 63), "measured_unix_ns is more than"),
    ],
)
def test_a_damaged_file_is_refused_naming_the_key(
    damage: Callable[[dict[str, Any]], None], words: str
) -> None:
    document = json.loads(encode_curves_file(KEY, MEASURED))
    damage(document)
    with pytest.raises(ConfigurationError, match=words):
        decode_curves_file(json.dumps(document).encode(), KEY)


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"[]", b"null", b"{", b"[" * 100_000, b" " * (2 << 20)]
)
def test_what_is_no_such_file_is_refused(content: bytes) -> None:
    with pytest.raises(ConfigurationError):
        decode_curves_file(content, KEY)


@given(st.data())
def test_a_file_cut_short_or_with_a_changed_byte_is_refused_or_sound(data: st.DataObject) -> None:
    content = bytearray(encode_curves_file(KEY, MEASURED))
    place = data.draw(st.integers(0, len(content) - 2))
    if data.draw(st.booleans()):
        del content[place:]
    else:
        content[place] = data.draw(st.integers(0, 255))
    try:
        found = decode_curves_file(bytes(content), KEY)
    except ConfigurationError:
        return
    for curve in found.curves:
        rows = [rows for rows, _ in curve.points]
        assert rows == sorted(set(rows))
        assert all(seconds > 0 for _, seconds in curve.points)


def test_a_refused_file_is_said_once_with_its_name_and_replaced(folder: Path) -> None:
    path = kept(folder)
    path.write_bytes(path.read_bytes()[:40])
    store = CurveStore(folder)
    with capture_logs() as logs:
        assert store.read(KEY) is None
        assert store.read(KEY) is None
    (said,) = logs
    assert (said["log_level"], said["path"]) == ("warning", str(path))
    assert "not whole JSON" in said["reason"]
    assert "measured again" in said["reason"]
    store.write(KEY, MEASURED)
    assert store.read(KEY) == replace(MEASURED, stored=True)
    assert list(folder.iterdir()) == [path]


def test_a_folder_that_cannot_be_written_is_said_once(folder: Path) -> None:
    folder.write_text("a file")
    store = CurveStore(folder)
    with capture_logs() as logs:
        for _ in range(2):
            store.write(KEY, MEASURED)
    (said,) = logs
    assert "curves_dir" in said["reason"]
    assert store.read(KEY) is None


def test_of_too_many_files_the_oldest_go(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curve_store, "MAX_FILES", 10)
    keys = [replace(KEY, digest=f"{number:064x}"[::-1]) for number in range(11)]
    for age, key in enumerate(keys):
        CurveStore(folder).write(key, MEASURED)
        newest = max(folder.iterdir(), key=lambda file: file.stat().st_mtime_ns)
        os.utime(newest, ns=(age, age))
    CurveStore(folder).write(KEY, MEASURED)
    assert len(list(folder.iterdir())) <= 10
    assert CurveStore(folder).read(KEY) is not None
    assert CurveStore(folder).read(keys[-1]) is not None
    assert CurveStore(folder).read(keys[0]) is None
