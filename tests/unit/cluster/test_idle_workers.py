"""Workers that Ray lent to a head that is gone, with processes of their name."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from farm_process import wait_until

from farm.cluster.ray_processes import IdleWorkers


class Workers:
    """Processes that are called as Ray's are."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, name: str) -> subprocess.Popen[bytes]:
        program = self._folder / name
        if not program.exists():
            program.symlink_to(str(shutil.which("sleep")))
        process = subprocess.Popen([program, "600"])
        self.processes.append(process)
        comm = Path(f"/proc/{process.pid}/comm")
        wait_until(lambda: comm.read_text().strip() == name, timeout_s=10, what="it runs")
        return process


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Workers]:
    made = Workers(tmp_path)
    try:
        yield made
    finally:
        for process in made.processes:
            process.kill()
            process.wait()


def test_a_worker_that_idles_for_too_long_is_ended(workers: Workers) -> None:
    worker = workers.start("ray::IDLE")
    idle = IdleWorkers(longest_s=60)
    assert idle.end(100.0) == 0
    assert idle.end(160.0) == 0
    assert worker.poll() is None
    assert idle.end(161.0) == 1
    assert worker.wait(timeout=10) == -9


def test_a_worker_that_runs_something_is_left_alone(workers: Workers) -> None:
    worker = workers.start("ray::NodeActor")
    idle = IdleWorkers(longest_s=60)
    assert [idle.end(now_s) for now_s in (0.0, 1000.0)] == [0, 0]
    assert worker.poll() is None


def test_each_worker_has_its_own_time(workers: Workers) -> None:
    old = workers.start("ray::IDLE")
    idle = IdleWorkers(longest_s=60)
    idle.end(0.0)
    new = workers.start("ray::IDLE")
    assert idle.end(50.0) == 0
    assert idle.end(70.0) == 1
    assert old.wait(timeout=10) == -9
    assert new.poll() is None
