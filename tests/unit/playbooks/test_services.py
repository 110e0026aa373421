"""Stamps: what a service was started with is told apart from what lies there now."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from playbooks import layout, services
from playbooks.services import STAMP_SCRIPT


class Inputs:
    """A file, a link to a release, and a file that is not there."""

    def __init__(self, folder: Path) -> None:
        self.script = folder / "stamp.sh"
        self.script.write_text(STAMP_SCRIPT)
        self.file = folder / "node.yaml"
        self.file.write_text("head: pi-1\n")
        self.link = folder / "node"
        self.link.symlink_to("releases/1")
        self.missing = folder / "missing"

    def stamp(self) -> str:
        command = ["sh", self.script, self.file, self.link, self.missing]
        ended = subprocess.run(command, capture_output=True, text=True, check=True)
        assert ended.stderr == ""
        return ended.stdout


@pytest.fixture
def inputs(tmp_path: Path) -> Inputs:
    return Inputs(tmp_path)


def relink(inputs: Inputs) -> None:
    inputs.link.unlink()
    inputs.link.symlink_to("releases/2")


CHANGES: list[Callable[[Inputs], object]] = [
    lambda inputs: inputs.file.write_text("head: pi-2\n"),
    lambda inputs: inputs.file.unlink(),
    relink,
    lambda inputs: inputs.missing.write_text(""),
]


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_changes_the_stamp(inputs: Inputs, change: Callable[[Inputs], object]) -> None:
    before = inputs.stamp()
    assert len(before.splitlines()) == 1
    assert inputs.stamp() == before
    change(inputs)
    assert inputs.stamp() != before


def test_the_same_written_again_does_not(inputs: Inputs) -> None:
    before = inputs.stamp()
    inputs.file.write_text(inputs.file.read_text())
    assert inputs.stamp() == before


@pytest.mark.parametrize(
    ("service", "own"),
    [
        (services.node(), {layout.NODE_CONFIG, layout.link("node")}),
        (services.head("b"), {layout.head_config("b"), layout.link("head-b")}),
        (services.gateway("a"), {layout.gateway_config("a"), layout.link("gateway-a")}),
    ],
)
def test_a_service_reads_its_settings_release_unit_and_identity(
    service: services.Service, own: set[str]
) -> None:
    inputs = set(service.inputs)
    assert own <= inputs
    assert {layout.CA, layout.CERTIFICATE, layout.RAY_TOKEN} <= inputs
    assert any(path.startswith(layout.UNITS) for path in inputs)
