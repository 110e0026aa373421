"""The farm packs itself: any installation gives the same wheel, and pip takes it."""

import base64
import hashlib
import os
import re
import subprocess
import sys
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

from farm import __version__
from farm.core.errors import ConfigurationError
from playbooks import own_wheel as module
from playbooks.own_wheel import own_wheel
from playbooks.wheelhouse import Wheelhouse

INFO = f"bramble_farm-{__version__}.dist-info"
PACK = """
import sys
from pathlib import Path
from playbooks.own_wheel import own_wheel
from playbooks.wheelhouse import Wheelhouse
print(own_wheel(Wheelhouse(Path(sys.argv[1]))).sha256)
"""


def test_it_holds_the_code_its_data_and_a_true_record(tmp_path: Path) -> None:
    wheel = own_wheel(Wheelhouse(tmp_path))
    assert re.fullmatch(rf"bramble_farm-{__version__}-0[0-9a-f]{{8}}-py3-none-any\.whl", wheel.name)
    with zipfile.ZipFile(wheel.path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    assert {
        "farm/__init__.py",
        "farm/py.typed",
        "farm/sim/data/boards.yaml",
        "farm/zoo/models/digits/1/model.onnx",
        "playbooks/locks/node.txt",
        "tui/__init__.py",
        f"{INFO}/licenses/LICENSE",
    } <= set(files)
    assert not [name for name in files if "__pycache__" in name or "/." in name]
    assert b"farm = farm.cli.main:main" in files[f"{INFO}/entry_points.txt"]
    assert message_from_bytes(files[f"{INFO}/METADATA"])["Version"] == __version__

    record = files.pop(f"{INFO}/RECORD").decode().splitlines()
    assert record.pop() == f"{INFO}/RECORD,,"
    for line in record:
        name, digest, size = line.rsplit(",", 2)
        content = files.pop(name)
        assert int(size) == len(content)
        assert base64.urlsafe_b64decode(digest.removeprefix("sha256=") + "=") == (
            hashlib.sha256(content).digest()
        )
    assert not files, "nothing is left out of the record"


def test_what_pip_installed_from_it_packs_the_same_wheel(tmp_path: Path) -> None:
    """As another operator does, who has the farm from a wheel and not from a checkout."""
    wheel = own_wheel(Wheelhouse(tmp_path / "first"))
    installed = tmp_path / "installed"
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index")
    subprocess.run((*pip, "--target", installed, wheel.path), check=True, timeout=60)
    packed = subprocess.run(
        (sys.executable, "-c", PACK, tmp_path / "second"),
        env={**os.environ, "PYTHONPATH": str(installed)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert packed.stdout.strip() == wheel.sha256


def test_a_change_of_the_code_changes_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host that has a wheel of this name and size must have this one."""
    (tmp_path / "edited").mkdir()
    code = tmp_path / "edited" / "__init__.py"
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(module, "_PACKAGES", ("edited",))
    names = []
    for text in ("a = 1", "a = 2", "a = 1"):
        code.write_text(text)
        names.append(own_wheel(Wheelhouse(tmp_path / "cache")).name)
    assert names[0] == names[2] != names[1]


def test_what_tools_leave_in_a_checkout_stays_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "tidy"
    (package / "__pycache__").mkdir(parents=True)
    for name in ("__init__.py", ".coverage", "old.py~", "__pycache__/x.cpython-311.pyc"):
        (package / name).write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(module, "_PACKAGES", ("tidy",))
    with zipfile.ZipFile(own_wheel(Wheelhouse(tmp_path / "cache")).path) as archive:
        names = archive.namelist()
    assert [name for name in names if name.startswith("tidy")] == ["tidy/__init__.py"]


def test_a_farm_that_was_never_installed_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "NAME", "bramble-farm-that-is-not")
    with pytest.raises(ConfigurationError, match="pip install -e"):
        own_wheel(Wheelhouse(tmp_path))
