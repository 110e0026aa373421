"""A board that its firmware holds back: that is told, it answers on, and it is told when it ends.

How much less such a node is given is a matter of its clock, which only a board has.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from digit_questions import Questions
from farm_process import FarmProcess
from faulty_farm import settled, until
from history import violations
from metrics_page import counted
from recorded_load import RecordedLoad

from farm.client import AdminClient
from farm.core.events import EventKind

pytestmark = [pytest.mark.integration, pytest.mark.faults, pytest.mark.timeout(300)]

# Under-voltage, the clock capped and throttled now, and all of it before; then it is over.
HELD_BACK, OVER = "throttled=0x70007", "throttled=0x70000"
NODES = 2


@pytest.fixture(scope="module")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tool that prints what lies beside it, as the firmware's does."""
    folder = tmp_path_factory.mktemp("firmware")
    tool = folder / "vcgencmd"
    tool.write_text('#!/bin/sh\n[ "$1" = get_throttled ] && cat "${0%/*}/throttled"\n')
    tool.chmod(0o755)
    (folder / "throttled").write_text("throttled=0x0\n")
    return folder


@pytest.fixture(scope="module")
def farm(firmware: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FarmProcess]:
    with FarmProcess(
        tmp_path_factory.mktemp("throttled"),
        "--nodes",
        str(NODES),
        environment={"PATH": f"{firmware}{os.pathsep}{os.environ['PATH']}"},
    ) as process:
        yield process


def say(firmware: Path, answer: str) -> None:
    new = firmware / "new"
    new.write_text(f"{answer}\n")
    new.replace(firmware / "throttled")


async def test_a_throttled_board_is_told_and_answers_on(
    farm: FarmProcess, firmware: Path, questions: Questions
) -> None:
    def marked(flag: str) -> float:
        return counted(farm.metrics, f"farm_node_{flag}")

    async with RecordedLoad(farm.grpc, questions, callers=8) as load:
        assert marked("undervoltage") == 0
        say(firmware, HELD_BACK)
        await until(lambda: marked("undervoltage") == NODES, "under-voltage is marked")
        assert marked("throttled") == NODES
        await load.answered(400)
        say(firmware, OVER)
        await until(lambda: marked("undervoltage") == 0, "the mark is gone")
        assert marked("undervoltage_since_boot") == NODES
        await load.answered(400)
    assert violations(load.history, questions.truth) == []
    await settled(farm.metrics)
    with AdminClient(farm.grpc) as admin:
        (events, _) = next(iter(admin.events(timeout_s=30)))
    told = [event for event in events if event.kind == EventKind.NODE_THROTTLED]
    assert len(told) == NODES
    assert all("its supply gives too little voltage" in event.detail for event in told)
    assert [e.kind for e in events].count(EventKind.NODE_UNTHROTTLED) == NODES
