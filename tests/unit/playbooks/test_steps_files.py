"""Folders, files and links, made for real in a folder of the test's own."""

import stat
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playbooks.commands import Put, Run
from playbooks.outcomes import HostStatus
from playbooks.runner import Runner
from playbooks.steps.base import Step
from playbooks.steps.files import Folder, Link, absent, files, folders, links
from tests.unit.playbooks.hosts import ME, LocalHost, host


class Place:
    """A host whose files are real, and a step to be carried out there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.transport = LocalHost(folder)

    def run(self, step: Step) -> list[str]:
        """Carry a step out; return what it had to do."""
        runner = Runner([host("pi-1")], connect=lambda _: self.transport)
        runner.phase(lambda _: [step])
        record = runner.records["pi-1"]
        assert record.status is not HostStatus.FAILED, record.error
        return [change.command for change in record.changes]

    def settles(self, step: Step) -> None:
        """Carry a step out; it must have something to do, and then nothing more."""
        assert self.run(step)
        assert self.run(step) == []

    def put(self, name: str, content: bytes, mode: int = 0o644) -> Put:
        return Put(content=content, to=str(self.folder / name), mode=mode, owner=ME)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_folders_are_made_outer_ones_first(place: Place) -> None:
    outer, inner = place.folder / "a b", place.folder / "a b" / "c"
    step = folders("x", [Folder(path=str(each), mode=0o750, owner=ME) for each in (outer, inner)])
    place.settles(step)
    assert (mode(outer), mode(inner)) == (0o750, 0o750)
    outer.chmod(0o777)
    place.settles(step)
    assert mode(outer) == 0o750


def test_what_is_in_a_folder_is_kept(place: Place) -> None:
    (place.folder / "a").mkdir()
    (place.folder / "a" / "file").touch()
    place.run(folders("x", [Folder(path=str(place.folder / "a"), mode=0o700, owner=ME)]))
    assert (place.folder / "a" / "file").exists()


def test_only_files_that_differ_are_put(place: Place) -> None:
    place.settles(files("x", [place.put("a", b"1"), place.put("b", b"2")]))
    commands = place.run(files("x", [place.put("a", b"1"), place.put("b", b"3")]))
    assert commands == [f"put {place.folder}/b (1 bytes, {ME} 0644)"]


def test_a_file_with_another_mode_is_put_again(place: Place) -> None:
    step = files("x", [place.put("a", b"1", 0o600)])
    place.settles(step)
    (place.folder / "a").chmod(0o644)
    place.settles(step)
    assert mode(place.folder / "a") == 0o600


def test_what_follows_a_change_follows_only_a_change(place: Place) -> None:
    reload = Run(text=f"echo x >> {place.folder}/reloads", sudo=True)
    step = files("x", [place.put("a", b"1"), place.put("b", b"2")], then=[reload])
    place.settles(step)
    assert (place.folder / "reloads").read_text() == "x\n"


def test_a_link_in_place_of_a_file_is_no_such_file(place: Place) -> None:
    (place.folder / "real").write_bytes(b"1")
    (place.folder / "a").symlink_to("real")
    place.settles(files("x", [place.put("a", b"1")]))
    assert not (place.folder / "a").is_symlink()


def test_a_link_is_replaced_in_one_piece(place: Place) -> None:
    link, step = place.folder / "node", links
    for target in ("releases/one", "releases/two words"):
        place.settles(step("x", [Link(path=str(link), target=target)]))
        assert str(link.readlink()) == target
    assert [path.name for path in place.folder.iterdir()] == ["node"]


def test_a_link_to_a_folder_is_replaced_and_not_followed(place: Place) -> None:
    (place.folder / "old").mkdir()
    (place.folder / "node").symlink_to("old")
    place.settles(links("x", [Link(path=str(place.folder / "node"), target="new")]))
    assert list((place.folder / "old").iterdir()) == []


def test_a_half_made_link_is_no_obstacle(place: Place) -> None:
    (place.folder / "node.farm-new").symlink_to("elsewhere")
    place.settles(links("x", [Link(path=str(place.folder / "node"), target="new")]))
    assert not (place.folder / "node.farm-new").is_symlink()


def test_what_is_to_be_gone_is_gone(place: Place) -> None:
    (place.folder / "a" / "b").mkdir(parents=True)
    (place.folder / "c").symlink_to("kept")
    (place.folder / "kept").touch()
    paths = [str(place.folder / name) for name in ("a", "c", "never")]
    place.settles(absent("x", paths))
    assert [path.name for path in place.folder.iterdir()] == ["kept"]


def test_what_must_not_be_forgotten_is_done_before_anything_is_removed(place: Place) -> None:
    path = place.folder / "unit"
    path.touch()
    still = Run(text=f"test -e {path} && touch {place.folder}/first", sudo=True)
    gone = Run(text=f"test ! -e {path} && touch {place.folder}/then", sudo=True)
    place.settles(absent("x", [str(path)], first=[still], then=[gone]))
    assert {each.name for each in place.folder.iterdir()} == {"first", "then"}


def test_nothing_follows_where_nothing_was_removed(place: Place) -> None:
    step = absent("x", [str(place.folder / "never")], then=[Run(text="false", sudo=True)])
    assert place.run(step) == []


NAMES = st.text("ab c'\"$é;*", min_size=1, max_size=8).map(lambda name: f"x{name}x")


@settings(deadline=None, max_examples=20)
@given(
    wanted=st.dictionaries(NAMES, st.binary(max_size=20), max_size=3), cut_after=st.integers(0, 3)
)
def test_an_interrupted_step_is_completed_whatever_files_are_called(
    tmp_path_factory: pytest.TempPathFactory, wanted: dict[str, bytes], cut_after: int
) -> None:
    place = Place(tmp_path_factory.mktemp("place"))
    puts: Sequence[Put] = [place.put(name, content) for name, content in wanted.items()]
    place.run(files("x", puts[:cut_after]))
    left = place.run(files("x", puts))
    assert len(left) == len(puts[cut_after:])
    assert place.run(files("x", puts)) == []
    assert {path.name: path.read_bytes() for path in place.folder.iterdir()} == wanted
