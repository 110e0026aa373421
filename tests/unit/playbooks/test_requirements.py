"""What the locks say for which machine and Python."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.markers import Marker
from packaging.tags import Tag

from farm.core.errors import ConfigurationError, UnsupportedError
from playbooks.requirements import (
    Lock,
    Pin,
    Target,
    onnxruntime_versions,
    parse_lock,
    pins_for,
    pythons_of,
    read_lock,
    requirements_text,
)

PI = Target(arch="aarch64", python=(3, 11), glibc=(2, 36))
TARGETS = [
    Target(arch=arch, python=(3, minor), glibc=(2, 36))
    for arch, minor in itertools.product(("x86_64", "aarch64"), range(11, 15))
]

pins = st.builds(
    Pin,
    name=st.from_regex(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", fullmatch=True),
    version=st.from_regex(r"[0-9]{1,4}(\.[0-9]{1,4}){0,3}", fullmatch=True),
    sha256=st.frozensets(
        st.binary(min_size=32, max_size=32).map(bytes.hex), min_size=1, max_size=3
    ),
)


def versions(target: Target, name: str) -> list[str]:
    found = pins_for("node", target, onnxruntime_versions("any")[0])
    return [pin.version for pin in found if pin.name == name]


@given(st.lists(pins))
def test_what_is_written_for_pip_reads_back(some: list[Pin]) -> None:
    assert parse_lock(requirements_text(some)) == tuple(some)


@given(st.text() | st.from_regex(r"(ray==1\.0 ?(--hash=sha256:[0-9a-f]{4})?[ \\;\n]*)*"))
def test_garbage_is_refused_as_such(text: str) -> None:
    try:
        parse_lock(text)
    except ConfigurationError as error:
        assert "make lock" in error.message


def test_a_version_without_a_hash_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"ray==2\.60\.0"):
        parse_lock("ray==2.60.0\n")


@pytest.mark.parametrize("lock", ["node", "head", "onnxruntime", "pip"])
def test_shipped_locks_pin_every_file(lock: Lock) -> None:
    found = read_lock(lock)
    assert found
    assert all(len(digest) == 64 for pin in found for digest in pin.sha256)


def test_markers_are_those_of_the_host_not_of_this_machine() -> None:
    older, newer = (
        versions(Target(arch="aarch64", python=(3, minor), glibc=(2, 36)), "numpy")
        for minor in (11, 12)
    )
    assert len(older) == len(newer) == 1
    assert older != newer
    assert versions(PI, "colorama") == [], "it is for Windows"
    assert PI.needs(Marker("platform_machine == 'aarch64' and python_version == '3.11'"))
    assert not PI.needs(Marker("sys_platform == 'darwin'"))


@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_every_host_gets_one_version_of_a_package(target: Target) -> None:
    node, head = (
        {pin.name: pin for pin in pins_for(role, target, "1.31.1")} for role in ("node", "head")
    )
    assert len(node) == len(pins_for("node", target, "1.31.1"))
    assert node.items() <= head.items(), "a head can be a node too"
    assert {"ray", "onnxruntime", "grpcio"} <= set(node)


def test_onnxruntime_is_the_one_that_was_asked_for() -> None:
    first, second, *_ = onnxruntime_versions("cortex-a72")
    assert [pin.version for pin in pins_for("node", PI, second) if pin.name == "onnxruntime"] == [
        second
    ]
    assert first != second
    assert onnxruntime_versions("never heard of") == onnxruntime_versions("neither of this")
    with pytest.raises(ConfigurationError, match=r"onnxruntime 0\.1"):
        pins_for("node", PI, "0.1")


def test_every_onnxruntime_to_be_tried_is_locked_as_in_the_other_locks() -> None:
    locked = {pin.version: pin.sha256 for pin in read_lock("onnxruntime")}
    for cpu_class in ("default", "cortex-a72", "cortex-a53"):
        assert set(onnxruntime_versions(cpu_class)) <= set(locked)
    for lock in ("node", "head"):
        (tested,) = (pin for pin in read_lock(lock) if pin.name == "onnxruntime")
        assert locked[tested.version] == tested.sha256


def test_a_newer_glibc_runs_what_was_built_for_an_older_one() -> None:
    assert PI.platforms[0] == "manylinux_2_36_aarch64"
    assert {"manylinux_2_28_aarch64", "manylinux2014_aarch64"} <= set(PI.platforms)
    assert "manylinux_2_37_aarch64" not in PI.platforms
    assert "manylinux_2_12_aarch64" not in PI.platforms, "there is none that old"
    ranks = PI.ranks()
    newest = ranks[Tag("cp311", "cp311", "manylinux_2_28_aarch64")]
    assert newest < ranks[Tag("cp311", "cp311", "manylinux2014_aarch64")]
    assert (
        newest
        < ranks[Tag("cp39", "abi3", "manylinux2014_aarch64")]
        < ranks[Tag("py3", "none", "any")]
    )
    assert Tag("cp312", "cp312", "manylinux2014_aarch64") not in ranks


def test_a_32_bit_host_is_told_what_it_needs() -> None:
    with pytest.raises(UnsupportedError, match=r"armv7l.*64-bit"):
        Target(arch="armv7l", python=(3, 11), glibc=(2, 36))


def test_pythons_that_wheels_are_for() -> None:
    tags = [
        Tag("cp311", "cp311", "manylinux_2_17_aarch64"),
        Tag("cp313", "cp313", "manylinux_2_17_aarch64"),
        Tag("cp314", "cp314", "manylinux_2_17_x86_64"),
    ]
    assert pythons_of(tags, PI) == ("3.11", "3.13")
    assert pythons_of([Tag("cp312", "abi3", "manylinux2014_aarch64")], PI)[0] == "3.12"
