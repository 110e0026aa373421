"""What is brought to a host and installed there, given what lies there already."""

from pathlib import Path

import pytest

from playbooks import layout
from playbooks.cache import CachedFile
from playbooks.commands import Put
from playbooks.facts.files import FileState, Kind, tree
from playbooks.facts.users import User, user
from playbooks.release import Release, release_for
from playbooks.requirements import Target
from playbooks.steps.account import account
from playbooks.steps.packages import PACKAGES, installed
from playbooks.steps.software import RELEASES, chosen, environment, pruned, wheels
from playbooks.transport import HostError
from tests.unit.playbooks.plans import planned, told

PI = Target(arch="aarch64", python=(3, 11), glibc=(2, 36))
OWN = CachedFile(name="own.whl", sha256="ab" * 32, size=3, path=Path("own.whl"))
THERE = FileState(kind=Kind.FILE)


def release(onnxruntime: str) -> Release:
    return release_for("node", PI, onnxruntime=onnxruntime, wheel=OWN)


def known_user(home: str, login: str) -> User:
    return User(**{"uid": 998, "home": home, "shell": login})


FIRST, SECOND = release("1.27.0"), release("1.24.4")


@pytest.mark.parametrize(
    ("lies", "wanted"),
    [
        ([], FIRST),
        ([FIRST.id], FIRST),
        ([f"{FIRST.id}/.refused"], SECOND),
        ([f"{FIRST.id}/.complete", f"{SECOND.id}/.complete"], FIRST),
        ([f"{FIRST.id}/.refused", f"{SECOND.id}/.complete"], SECOND),
        # One that runs is kept, though another would be tried first.
        ([f"{SECOND.id}/.complete"], SECOND),
    ],
)
def test_a_host_runs_the_first_release_that_works_there(lies: list[str], wanted: Release) -> None:
    assert chosen("pi-1", [FIRST, SECOND], dict.fromkeys(lies, THERE)) is wanted


def test_a_host_that_refused_all_is_told_what_to_look_at() -> None:
    lies = {f"{each.id}/.refused": THERE for each in (FIRST, SECOND)}
    with pytest.raises(HostError, match=r"pi-1: .* \(tried 1\.27\.0, 1\.24\.4\)") as caught:
        chosen("pi-1", [FIRST, SECOND], lies)
    assert f"{layout.RELEASES}/*/.refused" in caught.value.fix


WHEELS = tree(layout.WHEELS, depth=1)


@pytest.fixture
def wheel(tmp_path: Path) -> CachedFile:
    path = tmp_path / "ray.whl"
    path.write_bytes(b"12345")
    return CachedFile(name=path.name, sha256="cd" * 32, size=5, path=path)


@pytest.mark.parametrize(("size", "brought"), [(None, True), (4, True), (5, False)])
def test_only_wheels_that_are_not_whole_there_are_brought(
    wheel: CachedFile, size: int | None, brought: bool
) -> None:
    lies = {} if size is None else {wheel.name: FileState(kind=Kind.FILE, size_bytes=size)}
    commands = planned(wheels([wheel], FIRST), (RELEASES, {}), (WHEELS, lies))
    put = [command.to for command in commands if isinstance(command, Put)]
    listed = [FIRST.requirements_path]
    assert put == ([f"{layout.WHEELS}/ray.whl", *listed] if brought else listed)


def test_an_installed_release_needs_nothing(wheel: CachedFile) -> None:
    lies = {f"{FIRST.id}/.complete": THERE}
    assert planned(wheels([wheel], FIRST), (RELEASES, lies), (WHEELS, {})) == []
    assert planned(environment(FIRST, python="python3"), (RELEASES, lies)) == []


def test_a_refused_one_is_not_tried_again() -> None:
    lies = {f"{FIRST.id}/.refused": THERE}
    assert planned(environment(FIRST, python="python3"), (RELEASES, lies)) == []


def test_a_half_installed_one_is_installed_and_tried() -> None:
    lies = {FIRST.id: FileState(kind=Kind.FOLDER)}
    install, attempt = told(environment(FIRST, python="python3"), (RELEASES, lies))
    assert install == f"sudo install release {FIRST.id} with onnxruntime 1.27.0"
    assert attempt == "sudo try onnxruntime 1.27.0"


def test_releases_that_nobody_goes_back_to_are_removed() -> None:
    lies = {FIRST.id: THERE, f"{FIRST.id}/.complete": THERE, "old": THERE, "older": THERE}
    (command,) = told(pruned(frozenset({FIRST.id})), (RELEASES, lies))
    assert command.endswith(f" -- {layout.RELEASES}/old {layout.RELEASES}/older")
    assert told(pruned(frozenset({FIRST.id, "old", "older"})), (RELEASES, lies)) == []


@pytest.mark.parametrize(
    ("known", "command"),
    [
        (None, "sudo useradd "),
        (known_user(layout.HOME, "/bin/bash"), "sudo usermod "),
        (known_user(layout.HOME, "/usr/sbin/nologin"), ""),
    ],
)
def test_the_farms_user_cannot_log_in(known: User | None, command: str) -> None:
    commands = told(account("pi-1"), (user(layout.USER), known))
    assert bool(commands) == bool(command)
    for each in commands:
        assert each.startswith(command)
        assert "--shell /usr/sbin/nologin" in each


def test_a_user_of_somebodys_own_is_left_alone() -> None:
    known = known_user("/home/farm", "/bin/bash")
    with pytest.raises(HostError, match="pi-1: it has a user 'farm' already"):
        told(account("pi-1"), (user(layout.USER), known))


def test_packages_are_installed_from_what_was_brought(wheel: CachedFile) -> None:
    known = (PACKAGES, {"python3": "3.11"})
    *puts, install = told(installed([wheel], firewall=True), known)
    assert puts[-1].startswith(f"put {layout.DEBS}/ray.whl")
    assert "install iproute2, nftables from 1 .deb files" in install
    assert told(installed([], firewall=True), known) == ["sudo install iproute2, nftables"]


def test_a_farm_without_a_firewall_needs_no_nftables() -> None:
    known = (PACKAGES, {"python3": "3.11", "iproute2": "6"})
    assert told(installed([], firewall=False), known) == []
    assert told(installed([], firewall=True), known) == ["sudo install nftables"]
