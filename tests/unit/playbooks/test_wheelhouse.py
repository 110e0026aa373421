"""Wheels are fetched once, by a real pip from a folder in place of a package index."""

import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tiny_wheels import pin_of, tiny_wheel

from farm.core.errors import ConfigurationError, IntegrityError
from playbooks.cache import writing
from playbooks.pip_failures import NoWheelError
from playbooks.requirements import Target
from playbooks.wheelhouse import Wheelhouse

PI = Target(arch="aarch64", python=(3, 11), glibc=(2, 36))
BOUND_S = 30


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes for the only source of wheels."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def test_wheels_are_fetched_for_the_host_and_then_need_no_network(
    tmp_path: Path, index: Path
) -> None:
    for_pi = tiny_wheel(index, "ray-2.60.0-cp311-cp311-manylinux2014_aarch64.whl")
    other = tiny_wheel(index, "ray-2.60.0-cp311-cp311-manylinux2014_x86_64.whl")
    pure = tiny_wheel(index, "idna-3.20-py3-none-any.whl")
    pins = [pin_of(for_pi, other), pin_of(pure)]
    told: list[str] = []

    fetched = Wheelhouse(tmp_path / "cache", tell=told.append).fetch(pins, PI)

    assert [file.name for file in fetched] == [for_pi.name, pure.name]
    assert [file.path.read_bytes() for file in fetched] == [for_pi.read_bytes(), pure.read_bytes()]
    assert fetched[0].sha256 in pins[0].sha256
    assert fetched[0].size == for_pi.stat().st_size
    assert [line.split(" for ")[0] for line in told] == ["fetched ray 2.60.0", "fetched idna 3.20"]

    shutil.rmtree(index)
    assert Wheelhouse(tmp_path / "cache").fetch(pins, PI) == fetched
    assert Wheelhouse(tmp_path / "cache").find(pins[0], PI) == fetched[0]
    laptop = Target(arch="x86_64", python=(3, 11), glibc=(2, 36))
    assert Wheelhouse(tmp_path / "cache").find(pins[0], laptop) is None


def test_of_several_wheels_the_most_specific_one_is_taken(tmp_path: Path) -> None:
    names = [
        "grpcio-1.0-py3-none-any.whl",
        "grpcio-1.0-cp311-cp311-manylinux_2_28_aarch64.whl",
        "grpcio-1.0-cp311-cp311-manylinux2014_aarch64.whl",
        "grpcio-1.0-cp311-cp311-manylinux_2_39_aarch64.whl",
    ]
    wheels = [tiny_wheel(tmp_path, name, content=name) for name in names]
    wheelhouse = Wheelhouse(tmp_path / "cache")
    for wheel in wheels:
        wheelhouse.add(wheel.name, wheel.read_bytes())
    found = wheelhouse.find(pin_of(*wheels), PI)
    assert found is not None
    assert found.name == names[1]


def test_what_was_fetched_before_a_failure_is_kept(tmp_path: Path, index: Path) -> None:
    good = tiny_wheel(index, "idna-3.20-py3-none-any.whl")
    wrong = tiny_wheel(index, "ray-2.60.0-cp312-cp312-manylinux2014_aarch64.whl")
    pin = pin_of(good)
    wheelhouse = Wheelhouse(tmp_path / "cache")
    with pytest.raises(NoWheelError, match=r"ray 2\.60\.0 has no wheel .* only for Python 3\.12:"):
        wheelhouse.fetch([pin, pin_of(wrong)], PI)
    good.unlink()
    assert wheelhouse.fetch([pin], PI)


def test_other_bytes_than_the_lock_pins_are_never_kept(tmp_path: Path, index: Path) -> None:
    pin = pin_of(tiny_wheel(tmp_path, "idna-3.20-py3-none-any.whl"))
    tiny_wheel(index, "idna-3.20-py3-none-any.whl", content="evil")
    wheelhouse = Wheelhouse(tmp_path / "cache")
    with pytest.raises(IntegrityError, match=r"idna 3\.20"):
        wheelhouse.fetch([pin], PI)
    assert not list((tmp_path / "cache").rglob("*.whl"))


def test_a_wheel_that_rotted_is_fetched_again(tmp_path: Path, index: Path) -> None:
    pin = pin_of(tiny_wheel(index, "idna-3.20-py3-none-any.whl"))
    (fetched,) = Wheelhouse(tmp_path / "cache").fetch([pin], PI)
    whole = fetched.path.read_bytes()
    fetched.path.write_bytes(whole[:-1])
    (again,) = Wheelhouse(tmp_path / "cache").fetch([pin], PI)
    assert again.path.read_bytes() == whole


HOLD = """
import sys
from pathlib import Path
from playbooks.cache import staging
with staging(Path(sys.argv[1]), lambda: None) as folder:
    (folder / "half a wheel").write_bytes(b"PK")
    print("held", flush=True)
    sys.stdin.read()
"""


def test_two_commands_take_turns(tmp_path: Path, index: Path) -> None:
    pin = pin_of(tiny_wheel(index, "idna-3.20-py3-none-any.whl"))
    wheels = tmp_path / "cache" / "wheels"
    wheels.mkdir(parents=True)
    waits = threading.Event()
    wheelhouse = Wheelhouse(tmp_path / "cache", tell=lambda line: waits.set())
    fetched: list[object] = []
    second = threading.Thread(target=lambda: fetched.extend(wheelhouse.fetch([pin], PI)))
    with subprocess.Popen(
        (sys.executable, "-c", HOLD, wheels), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as first:
        try:
            assert first.stdout is not None
            assert first.stdout.readline() == b"held\n"
            second.start()
            assert waits.wait(BOUND_S), "the second says that it waits"
            assert list(wheels.rglob("half a wheel")), "and leaves the first alone"
        finally:
            # As a power cut would end it, with its work half done.
            first.kill()
    second.join(BOUND_S)
    assert len(fetched) == 1
    assert [path.name for path in wheels.iterdir() if path.is_dir()] == list(pin.sha256)


def test_threads_fetch_once_and_say_it_once(tmp_path: Path, index: Path) -> None:
    pin = pin_of(tiny_wheel(index, "idna-3.20-py3-none-any.whl"))
    told: list[str] = []
    wheelhouse = Wheelhouse(tmp_path / "cache", tell=told.append)
    with ThreadPoolExecutor(8) as pool:
        fetched = set(pool.map(lambda _: wheelhouse.fetch([pin], PI), range(8)))
    assert len(fetched) == 1
    assert told == [f"fetched idna 3.20 for {PI} (1 of 1)"]


def test_a_cache_that_cannot_be_written_is_said_with_its_setting(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="FARM_CACHE"):
        Wheelhouse(tmp_path / "file").add("idna-3.20-py3-none-any.whl", b"PK")
    with pytest.raises(ConfigurationError, match="No space left"), writing(tmp_path / "full"):
        raise OSError(28, "No space left on device")
