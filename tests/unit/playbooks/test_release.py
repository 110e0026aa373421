"""A release is what a host installs; its id changes when that does, and only then."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pip
import pytest
from tiny_wheels import pin_of, tiny_wheel

from farm import __version__
from playbooks import layout
from playbooks.cache import CachedFile
from playbooks.release import Release, install_text, release_for
from playbooks.requirements import Target, parse_lock, pins_for, read_lock

PI = Target(arch="aarch64", python=(3, 11), glibc=(2, 36))
WHEEL = CachedFile(
    name=f"bramble_farm-{__version__}-py3-none-any.whl",
    sha256="ab" * 32,
    size=1,
    path=Path("nowhere"),
)


def node(target: Target = PI, onnxruntime: str = "1.31.1", wheel: CachedFile = WHEEL) -> Release:
    return release_for("node", target, onnxruntime=onnxruntime, wheel=wheel)


def test_the_id_tells_apart_what_differs_when_installed() -> None:
    assert node().id == node().id
    assert node().id.startswith(f"{__version__}-")
    others = [
        node(onnxruntime="1.27.0"),
        node(wheel=dataclasses.replace(WHEEL, sha256="cd" * 32)),
        node(Target(arch="aarch64", python=(3, 13), glibc=(2, 36))),
        release_for("head", PI, onnxruntime="1.31.1", wheel=WHEEL),
    ]
    assert len({node().id, *(other.id for other in others)}) == 5
    laptop = Target(arch="x86_64", python=(3, 11), glibc=(2, 39))
    assert node(laptop).id == node().id, "a farm of two kinds of machines runs one release"


def test_everything_is_pinned_for_pip() -> None:
    *others, own = parse_lock(node(onnxruntime="1.27.0").requirements)
    assert (own.name, own.version, own.sha256) == ("bramble-farm", __version__, {WHEEL.sha256})
    wanted = [(pin.name, pin.version, pin.sha256) for pin in pins_for("node", PI, "1.27.0")]
    assert [(pin.name, pin.version, pin.sha256) for pin in others] == wanted
    assert node(onnxruntime="1.27.0").onnxruntime == "1.27.0"


def test_installing_needs_no_network_and_believes_no_file() -> None:
    text = install_text(node(), python="/usr/bin/python3")
    assert text.startswith("set -e\n"), "it ends at the first step that fails"
    assert "/usr/bin/python3 -m venv" in text
    for option in ("--no-index", "--require-hashes", "--no-deps"):
        assert option in text
    assert text.rstrip().endswith(f"sync -f {layout.release(node().id)}")


@pytest.fixture
def pushed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of wheels on a host, with the pip that installs them."""
    monkeypatch.setattr(layout, "WHEELS", str(tmp_path / "wheels"))
    monkeypatch.setattr(layout, "RELEASES", str(tmp_path / "releases"))
    (tmp_path / "releases").mkdir()
    (locked,) = read_lock("pip")
    # This environment's pip, where the locked one would be: it is run the same way.
    stand_in = tmp_path / "wheels" / f"pip-{locked.version}-py3-none-any.whl"
    stand_in.mkdir(parents=True)
    (stand_in / "pip").symlink_to(Path(pip.__file__).parent)
    return tmp_path / "wheels"


def tiny_release(pushed: Path) -> Release:
    own = tiny_wheel(pushed, f"bramble_farm-{__version__}-py3-none-any.whl")
    other = tiny_wheel(pushed, "idna-3.20-py3-none-any.whl", content="answer = 42")
    (digest,) = pin_of(own).sha256
    release = Release(wheel=CachedFile.of(own, digest), pins=(pin_of(other),), target=PI)
    Path(release.requirements_path).write_text(release.requirements)
    return release


def install(release: Release) -> int:
    ended = subprocess.run(
        ("sh", "-c", install_text(release, python=sys.executable)),
        env={**os.environ, "PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_TARGET": "/nowhere"},
        check=False,
        timeout=60,
    )
    return ended.returncode


def test_it_installs_what_was_pushed_over_what_an_interruption_left(pushed: Path) -> None:
    release = tiny_release(pushed)
    folder = Path(layout.release(release.id))
    (folder / "bin").mkdir(parents=True)
    (folder / "half a file").write_text("")

    assert install(release) == 0

    answer = subprocess.run(
        (folder / "bin" / "python", "-c", "import idna; print(idna.answer)"),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert answer.stdout == "42\n"
    assert list(folder.rglob("idna*.pyc")), "services could not write it later"
    assert not (folder / "half a file").exists()


def test_a_failure_leaves_nothing_that_fills_the_disk_or_fails_again(pushed: Path) -> None:
    release = tiny_release(pushed)
    (pushed / "idna-3.20-py3-none-any.whl").write_bytes(b"damaged by a power cut")
    assert install(release) != 0
    assert not Path(layout.release(release.id)).exists()
    assert not list(pushed.iterdir())
