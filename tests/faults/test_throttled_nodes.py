"""A board that its firmware holds back: it is told, gets less, answers on, and is told again.

Of such a board there is only what its firmware says. What it is given takes as long as before,
which the farm would learn from a few batches: so it is asked one request at a time, and what is
left to the other board teaches nothing.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from digit_questions import Questions
from farm_process import FarmProcess
from faulty_farm import settled, until
from history import violations
from metrics_page import counted
from recorded_load import RecordedLoad
from served_models import copy_digits, write_slow
from stand_ins import stand_in

from farm.client import AdminClient, AsyncFarmClient
from farm.core.events import EventKind
from farm.pb.farm_admin_pb2 import NodeSnapshot

pytestmark = [pytest.mark.integration, pytest.mark.faults, pytest.mark.timeout(300)]

# Under-voltage, the clock capped and throttled now, and all of it before; then it is over.
HELD_BACK, OVER = "throttled=0x70007", "throttled=0x70000"
NODES = 2
# A quarter of the highest clock is left.
HIGHEST_HZ, LEFT_HZ = 2_400_000_000, 600_000_000
# What lies beside it, and of which process, is what this tool prints, as the firmware's does.
VCGENCMD = f"""#!/bin/sh
case "$1" in
get_throttled) cat "${{0%/*}}/throttled-$PPID" 2>/dev/null || cat "${{0%/*}}/throttled" ;;
measure_clock) echo "frequency(0)={LEFT_HZ}" ;;
esac
"""
# Of the slow model: long enough that a node which is asked is mostly seen to be busy.
STEPS, REQUESTS = 10_000, 30


@pytest.fixture(scope="module")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the firmware's tool, and with what it prints."""
    folder = tmp_path_factory.mktemp("firmware")
    tool = folder / "vcgencmd"
    tool.write_text(VCGENCMD)
    tool.chmod(0o755)
    (folder / "throttled").write_text("throttled=0x0\n")
    return folder


@pytest.fixture(scope="module")
def farm(firmware: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FarmProcess]:
    folder = tmp_path_factory.mktemp("throttled")
    models = folder / "models"
    models.mkdir()
    copy_digits(models)
    write_slow(models, "slow")
    highest = f"from farm.node import probes\nprobes.highest_clock_hz = lambda: {HIGHEST_HZ}\n"
    with FarmProcess(
        folder,
        "--nodes",
        str(NODES),
        "--models",
        str(models),
        environment={
            "PATH": f"{firmware}{os.pathsep}{os.environ['PATH']}",
            **stand_in(folder, highest),
        },
    ) as process:
        yield process


def say(firmware: Path, answer: str, *, pid: int | None = None) -> None:
    """Have the firmware answer so, to all nodes or to the one with this process."""
    new = firmware / "new"
    new.write_text(f"{answer}\n")
    new.replace(firmware / (f"throttled-{pid}" if pid else "throttled"))


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


async def ask(client: AsyncFarmClient) -> str:
    """Ask the slow model; return which node ran it."""
    steps = {"STEPS": np.array([[STEPS]], dtype=np.int64)}
    answer = await client.infer("slow", steps, timeout_s=100)
    assert answer["DONE"].item() == STEPS
    return answer.receipt.node or ""


async def shares(client: AsyncFarmClient) -> Counter[str]:
    """Ask one request at a time; return how many each node ran."""
    return Counter([await ask(client) for _ in range(REQUESTS)])


async def test_a_throttled_board_is_given_less_than_its_twin(
    farm: FarmProcess, firmware: Path
) -> None:
    async with AsyncFarmClient(farm.grpc, retries=0) as client:
        before = await shares(client)
        # The one that gets more of the two, if they are not quite alike.
        weak = max(before, key=lambda name: before[name])
        with AdminClient(farm.grpc) as admin:

            def node() -> NodeSnapshot:
                return next(each for each in admin.snapshot().nodes if each.node_id == weak)

            say(firmware, HELD_BACK, pid=node().pid)
            # Its clock counts while it works.
            async with asyncio.timeout(60):
                while node().speed == 1.0:
                    await ask(client)
            held_back = await shares(client)
            say(firmware, OVER, pid=node().pid)
            await until(lambda: node().speed == 1.0, f"{weak} is as before")
            over = await shares(client)
    assert before[weak] >= REQUESTS // 2
    assert held_back[weak] <= REQUESTS // 4
    assert over[weak] > held_back[weak]
    await settled(farm.metrics)
